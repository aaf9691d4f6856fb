{-# LANGUAGE OverloadedStrings #-}
-- | Change this while go run ./examples/bridge hint runs.
module Script (script) where

import Control.Concurrent
import Control.Monad
import Isthmus.Bridge
import WordsBridge

script :: Bridge -> IO ()
script b = withSubscription b mTotal 16 $ \next -> forever $ do
  cast b mRead (Text "one two three")
  (Total n, _) <- next
  putStrLn ("so far " ++ show n ++ " words")
  threadDelay 1000000
