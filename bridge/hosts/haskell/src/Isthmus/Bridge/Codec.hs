{-# LANGUAGE BangPatterns #-}
{-# LANGUAGE ScopedTypeVariables #-}
-- | What "Isthmus.Bridge.Wire" shows, and the two that work in memory of the library's: they are not safe by themselves.
module Isthmus.Bridge.Codec
  ( Wire (..), WireError (..), encode, decode
  , Put, Get, putNothing, putTag, putPart, putNested, getTag, getPart, getNested, getMissing, failAtTag
  , Sized (..), sized, tooDeep, decodeFrom
  ) where

import Control.Exception (Exception, evaluate)
import qualified Data.ByteString as B
import qualified Data.ByteString.Internal as B
import qualified Data.ByteString.Unsafe as B
import Data.Int
import Data.Proxy
import qualified Data.Text as T
import qualified Data.Text.Encoding as T
import Data.Word
import Foreign.Marshal.Utils (copyBytes)
import Foreign.Ptr
import Foreign.Storable
import System.IO.Unsafe (unsafeDupablePerformIO)

-- | Which byte of a message is wrong, and why.
data WireError = WireError { wireOffset :: !Int, wireWhy :: String } deriving (Eq, Show)

instance Exception WireError

-- | What can cross.
class Wire a where
  -- | The least number of bytes on the wire.
  minSize :: Proxy a -> Int
  -- | How a value is written.
  put :: a -> Put
  -- | How one is read.
  get :: Get a

maxDepth :: Int
maxDepth = 64

-- | Bytes to come, for a depth of nesting.
newtype Put = Put (Int -> Sized)

-- | How many bytes, and what writes them: exactly so many from where it is told, and it gives where they end.
data Sized = TooDeep | Sized !Int (Ptr Word8 -> IO (Ptr Word8))

instance Semigroup Put where
  Put a <> Put b = Put (\d -> case a d of
    TooDeep -> TooDeep
    Sized m f -> case b d of
      TooDeep -> TooDeep
      Sized n g -> Sized (m + n) (\p -> f p >>= g))
  {-# INLINE (<>) #-}

instance Monoid Put where
  mempty = Put (const (Sized 0 pure))

bytes :: Int -> (Ptr Word8 -> IO ()) -> Put
bytes n f = Put (const (Sized n (\p -> f p >> pure (p `plusPtr` n))))
{-# INLINE bytes #-}

-- The wire is little-endian, and so are the machines that the library is for.
scalar :: forall a. Storable a => a -> Put
scalar v = bytes (sizeOf v) (\p -> poke (castPtr p) v)
{-# INLINE scalar #-}

-- | A value's message, which is not written yet.
sized :: Wire a => a -> Sized
sized v = case put v of Put f -> f 0

-- | What TooDeep means.
tooDeep :: WireError
tooDeep = WireError 0 "nested too deep"

-- | The message of a value.
encode :: Wire a => a -> Either WireError B.ByteString
encode v = case sized v of
  TooDeep -> Left tooDeep
  Sized n f -> Right (B.unsafeCreate n (\p -> () <$ f p))

-- | A decoder, of the bytes from a place on.
newtype Get a = Get (Env -> Int -> IO (R a))

-- INVARIANT: 0 <= at <= end <= the length of the bytes, so that what is read is inside.
data Env = Env { base :: !(Ptr Word8), end :: !Int, depth :: !Int }

-- A value is as far evaluated as its type's strict fields make it, and never refers to the bytes: all that reads them is in IO,
-- and copies. So they may be gone when the decoder has returned.
data R a = Bad !Int String | R !Int !a

instance Functor Get where
  fmap f (Get g) = Get (\e at -> g e at >>= \r -> case r of { Bad i w -> pure (Bad i w); R i a -> pure (R i (f a)) })
  {-# INLINE fmap #-}

instance Applicative Get where
  pure a = Get (\_ at -> pure (R at a))
  {-# INLINE pure #-}
  Get f <*> Get g = Get (\e at -> f e at >>= \r -> case r of
    Bad i w -> pure (Bad i w)
    R i h -> g e i >>= \q -> case q of { Bad j w -> pure (Bad j w); R j a -> pure (R j (h a)) })
  {-# INLINE (<*>) #-}

instance Monad Get where
  Get g >>= f = Get (\e at -> g e at >>= \r -> case r of { Bad i w -> pure (Bad i w); R i a -> case f a of Get h -> h e i })
  {-# INLINE (>>=) #-}

-- | The value of a message.
decode :: Wire a => B.ByteString -> Either WireError a
decode b = unsafeDupablePerformIO (B.unsafeUseAsCStringLen b (\(p, n) -> decodeFrom (castPtr p) n))

-- | The value of the message in those bytes.
--
-- SAFETY: they are there, and stay as they are, until it returns; nothing refers to them after that.
decodeFrom :: Wire a => Ptr Word8 -> Int -> IO (Either WireError a)
decodeFrom p n = case get of
  Get g -> g (Env p n 0) 0 >>= \r -> case r of
    Bad at why -> pure (Left (WireError at why))
    R at a | at /= n -> pure (Left (WireError at "bytes follow the message"))
           | otherwise -> pure (Right a)

failAt :: Int -> String -> Get a
failAt at why = Get (\_ _ -> pure (Bad at why))

place :: Get Int
place = Get (\_ at -> pure (R at at))

-- | Fails at the byte before: the tag that was read.
failAtTag :: String -> Get a
failAtTag why = Get (\_ at -> pure (Bad (at - 1) why))

-- What reads so many bytes.
taking :: Int -> (Ptr Word8 -> IO a) -> Get a
taking n f = Get (\e at ->
  if n < 0 || end e - at < n then pure (Bad at "the message ends too early")
  else R (at + n) <$> f (base e `plusPtr` at))
{-# INLINE taking #-}

number :: forall a. Storable a => Get a
number = taking (sizeOf (undefined :: a)) (peek . castPtr)
{-# INLINE number #-}

flag :: Get Bool
flag = do
  n <- getTag
  case n of { 0 -> pure False; 1 -> pure True; _ -> failAtTag "a flag is neither 0 nor 1" }

-- | A count of elements of at least that size. Compared as Word64: a negative number would be a huge one.
count :: Int -> Get Int
count size = do
  at <- place
  n <- number :: Get Word64
  Get (\e now -> let left = fromIntegral (end e - now) :: Word64 in
    if n > left `div` fromIntegral (max 1 size) then pure (Bad at "a count is more than the bytes that are left")
    else pure (R now (fromIntegral n)))

-- | No bytes.
putNothing :: Put
putNothing = mempty

-- | Which alternative of a sum follows.
putTag :: Word8 -> Put
putTag = scalar

-- | Which alternative of a sum follows: any number.
getTag :: Get Word8
getTag = number

-- | A level of nesting.
putNested :: Put -> Put
putNested (Put f) = Put (\d -> if d >= maxDepth then TooDeep else f (d + 1))
{-# INLINE putNested #-}

-- | A level of nesting: a message that is deeper than 64 is refused before it takes the stack.
getNested :: Get a -> Get a
getNested (Get g) = Get (\e at -> if depth e == maxDepth then pure (Bad at "nested too deep") else g e { depth = depth e + 1 } at)
{-# INLINE getNested #-}

-- | What has a length before it.
putPart :: Put -> Put
putPart (Put f) = Put (\d -> case f d of
  TooDeep -> TooDeep
  Sized n g -> Sized (8 + n) (\p -> poke (castPtr p) (fromIntegral n :: Word64) >> g (p `plusPtr` 8)))

-- | What has a length before it; rest: more than what is known may be there.
getPart :: Bool -> Get a -> Get a
getPart rest (Get g) = do
  n <- count 1
  Get (\e at -> g e { end = at + n } at >>= \r -> pure (case r of
    R i a | i /= at + n && not rest -> Bad i "bytes follow what has a length"
          | otherwise -> R (at + n) a
    bad -> bad))

-- | A trailing option of an extensible struct: nothing when the part has ended.
getMissing :: Wire a => Get (Maybe a)
getMissing = Get (\e at -> if at == end e then pure (R at Nothing) else case get of Get g -> g e at)

instance Wire Word8 where { minSize _ = 1; put = scalar; get = number }
instance Wire Word16 where { minSize _ = 2; put = scalar; get = number }
instance Wire Word32 where { minSize _ = 4; put = scalar; get = number }
instance Wire Word64 where { minSize _ = 8; put = scalar; get = number }
instance Wire Int8 where { minSize _ = 1; put = scalar; get = number }
instance Wire Int16 where { minSize _ = 2; put = scalar; get = number }
instance Wire Int32 where { minSize _ = 4; put = scalar; get = number }
instance Wire Int64 where { minSize _ = 8; put = scalar; get = number }
instance Wire Float where { minSize _ = 4; put = scalar; get = number }
instance Wire Double where { minSize _ = 8; put = scalar; get = number }
instance Wire Bool where { minSize _ = 1; put b = scalar (if b then 1 else 0 :: Word8); get = flag }

instance Wire B.ByteString where
  minSize _ = 8
  put b = bytes (8 + B.length b) (\p -> B.unsafeUseAsCStringLen b (\(from, n) ->
    poke (castPtr p) (fromIntegral n :: Word64) >> copyBytes (p `plusPtr` 8) (castPtr from) n))
  get = count 1 >>= \n -> taking n (\from -> B.create n (\to -> copyBytes to from n))

instance Wire T.Text where
  minSize _ = 8
  put = put . T.encodeUtf8
  get = do
    at <- place
    n <- count 1
    t <- taking n (\from -> B.unsafePackCStringLen (castPtr from, n) >>= evaluate . T.decodeUtf8' >>= traverse evaluate)
    either (const (failAt at "text is not valid UTF-8")) pure t

instance Wire a => Wire [a] where
  minSize _ = 8
  put [] = scalar (0 :: Word64)
  put vs = putNested (Put (\d -> go d 0 0 [] vs))
    where
      go :: Int -> Word64 -> Int -> [Ptr Word8 -> IO (Ptr Word8)] -> [a] -> Sized
      go _ k n fs [] = Sized (8 + n) (\p -> poke (castPtr p) k >> inTurn (p `plusPtr` 8) (reverse fs))
      go d !k !n fs (v : rest) = case put v of
        Put f -> case f d of { TooDeep -> TooDeep; Sized m g -> go d (k + 1) (n + m) (g : fs) rest }
      inTurn !p [] = pure p
      inTurn p (f : fs) = f p >>= \q -> inTurn q fs
  get = do
    n <- count (minSize (Proxy :: Proxy a))
    if n == 0 then pure [] else getNested (Get (\e at -> go e n [] at))
    where
      go :: Env -> Int -> [a] -> Int -> IO (R [a])
      go _ 0 acc at = pure (R at (reverse acc))
      go e n acc at = case get of
        Get g -> g e at >>= \r -> case r of { Bad i w -> pure (Bad i w); R i v -> go e (n - 1) (v : acc) i }

instance Wire a => Wire (Maybe a) where
  minSize _ = 1
  put Nothing = scalar (0 :: Word8)
  put (Just v) = scalar (1 :: Word8) <> putNested (put v)
  get = do
    there <- flag
    if there then Just <$> getNested get else pure Nothing
