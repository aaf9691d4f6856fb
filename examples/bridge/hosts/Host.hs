{-# LANGUAGE OverloadedStrings #-}
module Main (main) where

import Control.Exception (try)
import Isthmus.Bridge
import WordsBridge

main :: IO ()
main = withGo defaultConfig schema $ \b -> do
  withSubscription b mTotal 16 $ \next -> do
    cast b mRead (Text "the isthmus is the narrow way between the seas")
    (Total n, _) <- next
    putStrLn ("Haskell: so far " ++ show n ++ " words")
  Words top <- call b mTop (Total 0)
  mapM_ (\w -> putStrLn ("Haskell: " ++ show (wordWord w) ++ " x" ++ show (wordCount w))) top
  late <- callTimeout b 20000 mPause (Pause 10000)
  putStrLn ("Haskell: a pause of 10 s with a deadline of 20 ms: " ++ show late)
  failed <- try (call b mFail (Text "this"))
  putStrLn ("Haskell: " ++ either (show . errorText) show failed)
