-- | Loads a script, and again when it changes. It ends when a script returns.
module Main (main) where

import Control.Concurrent.MVar
import Isthmus.Bridge
import Isthmus.Bridge.Reload
import System.Environment
import System.IO
import WordsBridge

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  [db, modules, file] <- getArgs
  over <- newEmptyMVar
  let said Loaded = putStrLn ("Haskell: " ++ file ++ " runs")
      said (Refused why) = putStr ("Haskell: the script before goes on:" ++ why)
      said (Ended Nothing) = putMVar over ()
      said (Ended (Just e)) = putStrLn ("Haskell: the script failed: " ++ show e)
      stuck n = putStrLn ("Haskell: " ++ show n ++ " threads of the script before go on; their bridge is closed")
  withGo defaultConfig { onStuck = stuck } schema $ \b ->
    withAsync b (reload b Reload { scriptFile = file, modulePath = [modules], interpreterFlags = ["-package-db", db], pollMicros = 200000, news = said }) $ \_ ->
      takeMVar over
