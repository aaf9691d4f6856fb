module Main (main) where

import Control.Monad
import qualified Data.ByteString as B
import Data.Bits
import Isthmus.Bridge.Wire
import SampleBridge
import System.Environment

le :: B.ByteString -> Int
le = B.foldr (\x acc -> acc `shiftL` 8 .|. fromIntegral x) 0 . B.take 8

block :: B.ByteString -> (B.ByteString, B.ByteString)
block b = B.splitAt (le b) (B.drop 8 b)

again :: B.ByteString -> B.ByteString -> Maybe B.ByteString
again kind b
  | B.head kind == 1 = either (const Nothing) (Just . right . encode) (decode b :: Either WireError Msg)
  | otherwise = either (const Nothing) (Just . right . encode) (decode b :: Either WireError All)
  where right = either (error . show) id

go :: Int -> Int -> B.ByteString -> IO Int
go _ good b | B.null b = pure good
go i good b = do
  let accepted = B.index b 1 == 1
      (message, rest) = block (B.drop 2 b)
      (want, next) = if accepted then block rest else (B.empty, rest)
      got = again b message
  when (got /= (if accepted then Just want else Nothing)) (fail ("case " ++ show i ++ ": " ++ show (fmap B.length got, accepted)))
  go (i + 1) (if accepted then good + 1 else good) next

main :: IO ()
main = do
  [file] <- getArgs
  b <- B.readFile file
  good <- go 0 0 (B.drop 8 b)
  putStrLn (show (le b) ++ " cases, " ++ show good ++ " accepted")
