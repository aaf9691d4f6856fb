{-# LANGUAGE OverloadedStrings #-}
-- | Reads handwritten digits: a program that JAX exported runs on the device in the library. Then a program that takes long, with
-- a deadline: the device cannot be stopped, but nobody waits for it, and what it uses is freed when it ends.
module Main (main) where

import Control.Concurrent (threadDelay)
import Control.Exception (try)
import Control.Monad
import Data.Bits (shiftL, (.|.))
import qualified Data.ByteString as B
import qualified Data.ByteString.Char8 as C
import Isthmus.Bridge
import System.Environment
import TensorsBridge

-- | The bytes of an array file, after its header.
array :: FilePath -> IO B.ByteString
array file = do
  b <- B.readFile file
  pure (B.drop (10 + (fromIntegral (B.index b 8) .|. fromIntegral (B.index b 9) `shiftL` 8)) b)

-- | Counts up to its argument.
counting :: B.ByteString
counting = C.unlines
  [ "func.func public @main(%n: tensor<i64>) -> tensor<i64> {"
  , "  %zero = stablehlo.constant dense<0> : tensor<i64>"
  , "  %one = stablehlo.constant dense<1> : tensor<i64>"
  , "  %r = stablehlo.while(%i = %zero) : tensor<i64>"
  , "  cond {"
  , "    %less = stablehlo.compare LT, %i, %n : (tensor<i64>, tensor<i64>) -> tensor<i1>"
  , "    stablehlo.return %less : tensor<i1>"
  , "  } do {"
  , "    %next = stablehlo.add %i, %one : tensor<i64>"
  , "    stablehlo.return %next : tensor<i64>"
  , "  }"
  , "  return %r : tensor<i64>"
  , "}" ]

main :: IO ()
main = do
  [dir] <- getArgs
  program <- B.readFile (dir ++ "/digits.mlir.bc")
  images <- array (dir ++ "/images.npy")
  labels <- array (dir ++ "/labels.npy")
  theirs <- array (dir ++ "/predictions.npy")
  ((), report) <- withGoReport defaultConfig schema $ \b -> do
    got <- callTimeout b 60000000 mRun (Job program [images])
    case got of
      Just (Results [_, Tensor typ answers]) -> do
        when (answers /= theirs) (fail "an answer is not JAX's")
        let right = length [() | i <- [0, 4 .. B.length labels - 1], B.index labels i == B.index answers i]
        putStrLn ("Haskell: " ++ show typ ++ ": " ++ show right ++ " of " ++ show (B.length labels `div` 4) ++ " digits are read right, and all as JAX reads them")
      _ -> fail "no results"
    before <- call b mMemory Ask
    small <- call b mRun (Job counting [B.pack [100, 0, 0, 0, 0, 0, 0, 0]])
    putStrLn ("Haskell: counted to " ++ show (map (B.head . tensorData) (resultsResults small)))
    late <- callTimeout b 10000 mRun (Job counting [B.pack [128, 132, 30, 0, 0, 0, 0, 0]])
    putStrLn ("Haskell: to 2000000, with a deadline of 10 ms: " ++ show late)
    bad <- try (call b mRun (Job "no program" []))
    putStrLn ("Haskell: no program: " ++ either (show . errorStatus) show bad)
    let ended = do { now <- call b mMemory Ask; when (memoryInUse now > memoryInUse before) (threadDelay 1000 >> ended) }
    ended -- the program that nobody waits for
  when (zombies report /= 0) (fail (show report))
  putStrLn "Haskell: nothing is left on the device"
