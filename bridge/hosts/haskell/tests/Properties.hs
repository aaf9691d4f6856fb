{-# LANGUAGE DeriveGeneric #-}
{-# LANGUAGE FlexibleInstances #-}
{-# LANGUAGE ScopedTypeVariables #-}
{-# LANGUAGE StandaloneDeriving #-}
{-# LANGUAGE TypeApplications #-}
{-# OPTIONS_GHC -Wno-orphans #-}
-- | Properties of the codec, for every type that is generated from the sample. The argument is how many cases each has.
module Main (main) where

import Control.Exception
import Control.Monad
import qualified Data.ByteString as B
import Data.Either
import Data.IORef
import Data.Proxy
import qualified Data.Store as S
import qualified Data.Text as T
import qualified Data.Text.Encoding as T
import Data.Word
import GHC.Generics (Generic)
import Isthmus.Bridge.Wire
import SampleBridge
import System.Environment
import System.Exit
import Test.QuickCheck hiding (again)

-- Values of every type.

instance Arbitrary B.ByteString where arbitrary = B.pack <$> arbitrary
instance Arbitrary T.Text where
  -- of characters that UTF-8 can hold: a Text has no surrogates
  arbitrary = T.pack <$> listOf (frequency [(4, arbitraryASCIIChar), (1, elements "\0\xff\x7ff\x800\xd7ff\xe000\xffff\x10000\x10ffff")])

instance Arbitrary Numbers where
  arbitrary = Numbers <$> arbitrary <*> arbitrary <*> arbitrary <*> number <*> arbitrary <*> arbitrary <*> arbitrary <*> arbitrary
    <*> arbitrary <*> arbitrary <*> arbitrary <*> arbitrary
instance Arbitrary Point where arbitrary = Point <$> arbitrary <*> elements [0, -0.5, 1 / 0, 1e-310]
instance Arbitrary Blob where
  arbitrary = few (Blob <$> arbitrary <*> arbitrary <*> arbitrary <*> arbitrary <*> arbitrary <*> arbitrary <*> arbitrary)
instance Arbitrary Tree where
  arbitrary = sized (\n -> Tree <$> arbitrary <*> (if n < 2 then pure [] else resize (n `div` 3) (resize 3 arbitrary >>= \k -> vectorOf (k `mod` 4) (resize (n `div` 4) arbitrary)))
    <*> (if n < 2 then pure Nothing else resize (n `div` 2) arbitrary))
instance Arbitrary Growing where arbitrary = Growing <$> arbitrary <*> arbitrary <*> arbitrary
instance Arbitrary Ping where arbitrary = pure Ping
instance Arbitrary Pong where arbitrary = Pong <$> number
instance Arbitrary Text where arbitrary = Text <$> arbitrary
instance Arbitrary Circle where arbitrary = Circle <$> arbitrary
instance Arbitrary Polygon where arbitrary = Polygon <$> few arbitrary
instance Arbitrary Count where arbitrary = Count <$> number
instance Arbitrary Order where arbitrary = Order <$> arbitrary <*> arbitrary <*> number
instance Arbitrary Msg where arbitrary = oneof [Msg_Ping <$> arbitrary, Msg_Pong <$> arbitrary, Msg_Text <$> arbitrary, Msg_Blob <$> arbitrary]
instance Arbitrary Shape where
  arbitrary = oneof [Shape_Circle <$> arbitrary, Shape_Polygon <$> arbitrary, Shape_Unknown <$> choose (2, 255) <*> arbitrary]
instance Arbitrary All where
  arbitrary = few (All <$> arbitrary <*> arbitrary <*> arbitrary <*> arbitrary <*> arbitrary <*> arbitrary <*> arbitrary)

few :: Gen a -> Gen a
few = scale (\n -> min n 6)

number :: Gen Word64
number = oneof [arbitrary, elements [0, 1, maxBound, 0x8000000000000000, 0x2000000000000000]]

-- What holds.

right :: Show e => Either e a -> a
right = either (error . show) id

-- | What decoding gives; an exception is a failure of the property.
looked :: Wire a => Proxy a -> B.ByteString -> IO (Either WireError B.ByteString)
looked p b = evaluate (decode b >>= encode . (`asProxyTypeOf` p)) >>= \r -> either (pure . Left) (fmap Right . evaluate) r

-- | Encoding and decoding gives the value again; a message cut short is none (a long one is cut at a hundred places), and one byte more is too many.
again :: (Wire a, Eq a, Show a) => a -> Property
again v = conjoin [counterexample "again" (decode m === Right v), counterexample "cut" (all none cuts), counterexample "more" (none (m <> B.pack [0]) || B.null m)]
  where
    m = right (encode v)
    cuts = map (`B.take` m) ([0, B.length m `div` 100 + 1 .. B.length m - 1] ++ [max 0 (B.length m - 9) .. B.length m - 1])
    none b = b == m || isLeft (decode b `asTypeOf` Right v)

-- | Bytes that were changed are no message, or one whose bytes they are: there is one way to write a value. same: that holds
-- for the type, which is not so where more than is known may be there.
changed :: forall a. Wire a => Bool -> a -> Property
changed same v = forAll (mutation (right (encode v))) (\b -> ioProperty (do
  r <- looked (Proxy @a) b
  pure (either (\e -> wireOffset e >= 0 && wireOffset e <= B.length b) (\w -> not same || w == b) r)))

mutation :: B.ByteString -> Gen B.ByteString
mutation b = oneof
  [ arbitrary
  , at (\i -> (\x -> B.concat [B.take i b, B.singleton x, B.drop (i + 1) b]) <$> arbitrary)
  , at (\i -> (\n -> B.concat [B.take i b, word n, B.drop (i + 8) b]) <$> number) -- a count that is too large
  , at (\i -> (\j -> B.take i b <> B.drop (i + j) b) <$> choose (1, 9))
  , at (\i -> (\x -> B.concat [B.take i b, x, B.drop i b]) <$> arbitrary)
  ]
  where
    at k = choose (0, max 0 (B.length b - 1)) >>= k
    word n = S.encode (n :: Word64)

-- | The bytes are those that the package store writes, and it reads them as the same value.
stored :: (Wire a, Arbitrary b, Show b, Eq b, S.Store b) => (b -> a) -> Property
stored f = forAll arbitrary (\s -> let m = right (encode (f s)) in S.encode s === m .&&. S.decode m === Right s)

-- The types in the subset that store has too. Its Text is not: it is written in UTF-16 or in UTF-8 as the package text is.

deriving instance Generic Numbers
deriving instance Generic Point
deriving instance Generic Tree
deriving instance Generic Ping
deriving instance Generic Pong
deriving instance Generic Circle
deriving instance Generic Polygon
deriving instance Generic Count
instance S.Store Numbers
instance S.Store Point
instance S.Store Tree
instance S.Store Ping
instance S.Store Pong
instance S.Store Circle
instance S.Store Polygon
instance S.Store Count

-- | Text as the bytes that it has on the wire.
newtype UTF8 = UTF8 B.ByteString deriving (Eq, Show, Generic)
instance S.Store UTF8
instance Arbitrary UTF8 where arbitrary = UTF8 . T.encodeUtf8 <$> arbitrary

text :: UTF8 -> T.Text
text (UTF8 b) = T.decodeUtf8 b

data StoredBlob = StoredBlob B.ByteString [Word32] Point UTF8 (Maybe Word16) [Point] [UTF8] deriving (Eq, Show, Generic)
instance S.Store StoredBlob
instance Arbitrary StoredBlob where
  arbitrary = few (StoredBlob <$> arbitrary <*> arbitrary <*> arbitrary <*> arbitrary <*> arbitrary <*> arbitrary <*> arbitrary)

blob :: StoredBlob -> Blob
blob (StoredBlob d t a n o p ns) = Blob d t a (text n) o p (map text ns)

data StoredMsg = StoredPing Ping | StoredPong Pong | StoredText UTF8 | StoredMsgBlob StoredBlob deriving (Eq, Show, Generic)
instance S.Store StoredMsg
instance Arbitrary StoredMsg where
  arbitrary = oneof [StoredPing <$> arbitrary, StoredPong <$> arbitrary, StoredText <$> arbitrary, StoredMsgBlob <$> arbitrary]

msg :: StoredMsg -> Msg
msg (StoredPing p) = Msg_Ping p
msg (StoredPong p) = Msg_Pong p
msg (StoredText t) = Msg_Text (Text (text t))
msg (StoredMsgBlob b) = Msg_Blob (blob b)

main :: IO ()
main = do
  [n] <- getArgs
  bad <- newIORef (0 :: Int)
  tried <- newIORef (0 :: Int)
  let prop name p = do
        modifyIORef' tried (+ 1)
        r <- quickCheckWithResult stdArgs { maxSuccess = read n, maxSize = 12, chatty = False } p
        unless (isSuccess r) (putStrLn ("FAIL " ++ name ++ ": " ++ output r) >> modifyIORef' bad (+ 1))
      every :: forall a. (Wire a, Eq a, Show a, Arbitrary a) => Bool -> String -> Proxy a -> IO ()
      every same name _ = prop (name ++ " again") (again @a) >> prop (name ++ " changed") (changed @a same)
  every True "Numbers" (Proxy @Numbers)
  every True "Point" (Proxy @Point)
  every True "Blob" (Proxy @Blob)
  every True "Tree" (Proxy @Tree)
  every False "Growing" (Proxy @Growing)
  every True "Ping" (Proxy @Ping)
  every True "Pong" (Proxy @Pong)
  every True "Text" (Proxy @Text)
  every True "Circle" (Proxy @Circle)
  every True "Polygon" (Proxy @Polygon)
  every True "Count" (Proxy @Count)
  every True "Order" (Proxy @Order)
  every True "Msg" (Proxy @Msg)
  every True "Shape" (Proxy @Shape)
  every False "All" (Proxy @All)
  every True "lists of options" (Proxy @[Maybe [Maybe Msg]])
  prop "store: Numbers" (stored @Numbers @Numbers id)
  prop "store: Point" (stored @Point @Point id)
  prop "store: Tree" (stored @Tree @Tree id)
  prop "store: Ping" (stored @Ping @Ping id)
  prop "store: Pong" (stored @Pong @Pong id)
  prop "store: Circle" (stored @Circle @Circle id)
  prop "store: Polygon" (stored @Polygon @Polygon id)
  prop "store: Count" (stored @Count @Count id)
  prop "store: Text" (stored (Text . text))
  prop "store: Blob" (stored blob)
  prop "store: Msg" (stored msg)
  prop "store: lists of options" (stored (map (fmap (map msg)) :: [Maybe [StoredMsg]] -> [Maybe [Msg]]))
  k <- readIORef bad
  said <- readIORef tried
  putStrLn (show k ++ " of " ++ show said ++ " properties fail, " ++ n ++ " cases each")
  when (k > 0) exitFailure
