{-# LANGUAGE BangPatterns #-}
{-# LANGUAGE ScopedTypeVariables #-}
-- | The wire in Haskell: a decoder that is total, strict and bounded, and an encoder.
--
-- Whatever the bytes are, 'decode' gives a value or a 'WireError'. A count is compared, unsigned, with the bytes that are
-- left before it becomes an 'Int' and before anything is allocated. For types without extensible structs and open sums the
-- bytes are those that the package @store@ writes; its decoders are not used, because they are neither total nor safe.
module Isthmus.Bridge.Wire
  ( Wire (..), WireError (..), encode, decode
  , Put, Get, putNothing, putTag, putPart, putNested, getTag, getPart, getNested, getMissing, failAtTag
  ) where

import Control.Exception (Exception)
import Data.Bits (shiftL, (.|.))
import qualified Data.ByteString as B
import qualified Data.ByteString.Builder as Builder
import qualified Data.ByteString.Builder.Extra as Builder
import qualified Data.ByteString.Lazy as L
import qualified Data.ByteString.Unsafe as B
import Data.Int
import qualified Data.Text as T
import qualified Data.Text.Encoding as T
import Data.Proxy
import Data.Word
import GHC.Float (castDoubleToWord64, castFloatToWord32, castWord32ToFloat, castWord64ToDouble)

-- | Which byte of a message is wrong, and why.
data WireError = WireError { wireOffset :: !Int, wireWhy :: String } deriving (Eq, Show)

instance Exception WireError

-- | What can cross.
class Wire a where
  -- | The least number of bytes on the wire.
  minSize :: Proxy a -> Int
  put :: a -> Put
  get :: Get a

maxDepth :: Int
maxDepth = 64

-- | Bytes to come, for a depth of nesting: Nothing when it is too deep.
newtype Put = Put (Int -> Maybe Builder.Builder)

instance Semigroup Put where
  Put a <> Put b = Put (\d -> (<>) <$> a d <*> b d)

instance Monoid Put where
  mempty = Put (const (Just mempty))

raw :: Builder.Builder -> Put
raw b = Put (const (Just b))

-- | The message of a value.
encode :: Wire a => a -> Either WireError B.ByteString
encode v = case put v of
  Put f -> maybe (Left (WireError 0 "nested too deep")) (Right . L.toStrict . bytes) (f 0)
  where bytes = Builder.toLazyByteStringWith (Builder.untrimmedStrategy 128 Builder.defaultChunkSize) L.empty -- most are short

-- INVARIANT: 0 <= at <= end <= the length of the bytes, so that unsafeIndex and unsafeTake stay inside.
data S = S { sBytes :: !B.ByteString, sAt :: !Int, sEnd :: !Int, sDepth :: !Int }

-- | A decoder.
newtype Get a = Get { runGet :: S -> Either WireError (R a) }
data R a = R !S a

instance Functor Get where
  fmap f (Get g) = Get (\s -> case g s of { Left e -> Left e; Right (R t a) -> Right (R t (f a)) })

instance Applicative Get where
  pure a = Get (\s -> Right (R s a))
  Get f <*> Get g = Get (\s -> case f s of
    Left e -> Left e
    Right (R t h) -> case g t of { Left e -> Left e; Right (R u a) -> Right (R u (h a)) })

instance Monad Get where
  Get g >>= f = Get (\s -> case g s of { Left e -> Left e; Right (R t a) -> runGet (f a) t })

-- | The value of a message.
decode :: Wire a => B.ByteString -> Either WireError a
decode b = case runGet get (S b 0 (B.length b) 0) of
  Left e -> Left e
  Right (R s a) | sAt s /= sEnd s -> Left (WireError (sAt s) "bytes follow the message")
                | otherwise -> Right a

failAt :: Int -> String -> Get a
failAt at why = Get (\_ -> Left (WireError at why))

place :: Get Int
place = Get (\s -> Right (R s (sAt s)))

-- | Fails at the byte before: the tag that was read.
failAtTag :: String -> Get a
failAtTag why = Get (\s -> Left (WireError (sAt s - 1) why))

takeBytes :: Int -> Get B.ByteString
takeBytes n = Get (\s ->
  if n < 0 || sEnd s - sAt s < n then Left (WireError (sAt s) "the message ends too early")
  else Right (R s { sAt = sAt s + n } (B.unsafeTake n (B.unsafeDrop (sAt s) (sBytes s)))))

word :: Int -> Get Word64
word n = do
  b <- takeBytes n
  pure $! B.foldr' (\x acc -> acc `shiftL` 8 .|. fromIntegral x) 0 b

flag :: Get Bool
flag = do
  n <- word 1
  case n of { 0 -> pure False; 1 -> pure True; _ -> failAtTag "a flag is neither 0 nor 1" }

-- | A count of elements of at least that size. Compared as Word64: a negative number would be a huge one.
count :: Int -> Get Int
count size = do
  at <- place
  n <- word 8
  Get (\s -> let left = fromIntegral (sEnd s - sAt s) :: Word64 in
    if n > left `div` fromIntegral (max 1 size) then Left (WireError at "a count is more than the bytes that are left")
    else Right (R s (fromIntegral n)))

nested :: Get a -> Get a
nested (Get g) = Get (\s ->
  if sDepth s == maxDepth then Left (WireError (sAt s) "nested too deep")
  else case g s { sDepth = sDepth s + 1 } of
    Left e -> Left e
    Right (R t a) -> Right (R t { sDepth = sDepth s } a))

-- | No bytes.
putNothing :: Put
putNothing = mempty

-- | Which alternative of a sum follows.
putTag :: Word8 -> Put
putTag = raw . Builder.word8

-- | Which alternative of a sum follows: any number.
getTag :: Get Word8
getTag = fromIntegral <$> word 1

-- | A level of nesting.
putNested :: Put -> Put
putNested (Put f) = Put (\d -> if d >= maxDepth then Nothing else f (d + 1))

-- | A level of nesting: a message that is deeper than 64 is refused before it takes the stack.
getNested :: Get a -> Get a
getNested = nested

-- | What has a length before it.
putPart :: Put -> Put
putPart (Put f) = Put (\d -> do
  b <- L.toStrict . Builder.toLazyByteString <$> f d
  Just (Builder.word64LE (fromIntegral (B.length b)) <> Builder.byteString b))

-- | What has a length before it; rest: more than what is known may be there.
getPart :: Bool -> Get a -> Get a
getPart rest (Get g) = do
  n <- count 1
  Get (\s -> case g s { sEnd = sAt s + n } of
    Left e -> Left e
    Right (R t a)
      | sAt t /= sEnd t && not rest -> Left (WireError (sAt t) "bytes follow what has a length")
      | otherwise -> Right (R t { sAt = sEnd t, sEnd = sEnd s } a))

-- | A trailing option of an extensible struct: nothing when the part has ended.
getMissing :: Wire a => Get (Maybe a)
getMissing = Get (\s -> if sAt s == sEnd s then Right (R s Nothing) else runGet get s)

instance Wire Word8 where { minSize _ = 1; put = raw . Builder.word8; get = fromIntegral <$> word 1 }
instance Wire Word16 where { minSize _ = 2; put = raw . Builder.word16LE; get = fromIntegral <$> word 2 }
instance Wire Word32 where { minSize _ = 4; put = raw . Builder.word32LE; get = fromIntegral <$> word 4 }
instance Wire Word64 where { minSize _ = 8; put = raw . Builder.word64LE; get = word 8 }
instance Wire Int8 where { minSize _ = 1; put = raw . Builder.int8; get = fromIntegral <$> word 1 }
instance Wire Int16 where { minSize _ = 2; put = raw . Builder.int16LE; get = fromIntegral <$> word 2 }
instance Wire Int32 where { minSize _ = 4; put = raw . Builder.int32LE; get = fromIntegral <$> word 4 }
instance Wire Int64 where { minSize _ = 8; put = raw . Builder.int64LE; get = fromIntegral <$> word 8 }
instance Wire Float where { minSize _ = 4; put = raw . Builder.word32LE . castFloatToWord32; get = castWord32ToFloat . fromIntegral <$> word 4 }
instance Wire Double where { minSize _ = 8; put = raw . Builder.word64LE . castDoubleToWord64; get = castWord64ToDouble <$> word 8 }
instance Wire Bool where { minSize _ = 1; put b = raw (Builder.word8 (if b then 1 else 0)); get = flag }

instance Wire B.ByteString where
  minSize _ = 8
  put b = raw (Builder.word64LE (fromIntegral (B.length b)) <> Builder.byteString b)
  get = B.copy <$> (count 1 >>= takeBytes) -- a copy, so that a value does not hold its message

instance Wire T.Text where
  minSize _ = 8
  put = put . T.encodeUtf8
  get = do
    at <- place
    b <- count 1 >>= takeBytes
    either (const (failAt at "text is not valid UTF-8")) pure (T.decodeUtf8' b)

instance Wire a => Wire [a] where
  minSize _ = 8
  put [] = raw (Builder.word64LE 0)
  put vs = raw (Builder.word64LE (fromIntegral (length vs))) <> putNested (foldMap put vs)
  get = do
    n <- count (minSize (Proxy :: Proxy a))
    if n == 0 then pure [] else nested (go n [])
    where
      go :: Int -> [a] -> Get [a]
      go 0 acc = pure (reverse acc)
      go n acc = do { !v <- get; go (n - 1) (v : acc) }

instance Wire a => Wire (Maybe a) where
  minSize _ = 1
  put Nothing = raw (Builder.word8 0)
  put (Just v) = raw (Builder.word8 1) <> putNested (put v)
  get = do
    there <- flag
    if there then do { !v <- nested get; pure (Just v) } else pure Nothing
