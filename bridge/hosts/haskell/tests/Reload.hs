-- | A host that loads scripts, among them bad ones. Exit status 0 means that it passed.
module Main (main) where

import Control.Concurrent
import qualified Control.Concurrent.Async as A
import Control.Exception
import Control.Monad
import Data.IORef
import Data.List
import Isthmus.Bridge
import Isthmus.Bridge.Reload
import SampleBridge hiding (schema)
import qualified SampleBridge as S
import System.Directory (renameFile)
import System.Environment
import System.Exit
import System.IO
import System.Timeout

-- | A script with that body, of a function whose argument is b.
script :: [String] -> String
script body = unlines ([ "{-# LANGUAGE ScopedTypeVariables #-}", "module Script (script) where", "import Control.Concurrent", "import Control.Exception"
  , "import Control.Monad", "import Isthmus.Bridge", "import SampleBridge hiding (schema)", "script :: Bridge -> IO ()", "script b = do" ] ++ map ("  " ++) body)

-- | Casts as fast as it can, from children, from threads that are none, and beside calls and events that are waited for.
noisy, quiet, stubborn, broken, failing :: String
noisy = script
  [ "_ <- async b (forever (cast b mTell (Count 1)))"
  , "_ <- forkIO (forever (cast b mTell (Count 1)))"
  , "_ <- forkIO (void (call b mObey (Order (read \"\\\"ctx\\\"\") 0 0)))"
  , "_ <- forkIO (withSubscription b mTick 4 (\\next -> void next))"
  , "withAsync b (call b mObey (Order (read \"\\\"ctx\\\"\") 0 0)) $ \\_ -> forever (cast b mTell (Count 1) >> call b mAdd (Point 1 2))" ]
quiet = script ["call b mEcho (Msg_Ping Ping) >> forever (threadDelay 1000000)"]
stubborn = script
  [ "let again = do"
  , "      _ <- try (cast b mTell (Count 1) >> threadDelay 100) :: IO (Either SomeException ())"
  , "      _ <- try (call b mEcho (Msg_Ping Ping)) :: IO (Either SomeException Msg)"
  , "      again"
  , "mask_ again" ]
broken = script ["cast b mTell (Point 1 2)"]
failing = script ["_ <- call b mObey (Order (read \"\\\"panic\\\"\") 0 0)", "pure ()"]

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  [db, path, file] <- getArgs
  said <- newChan
  stuck <- newIORef (0 :: Int)
  bad <- newIORef (0 :: Int)
  let check what ok = putStrLn ((if ok then "ok    " else "FAIL  ") ++ what) >> unless ok (modifyIORef' bad (+ 1))
      write text = writeFile (file ++ "~") text >> renameFile (file ++ "~") file
      hear = timeout 120000000 (readChan said) >>= maybe (die "no news") pure
      loaded = do { n <- hear; case n of { Loaded -> pure (); Refused e -> die e; Ended e -> die (show e) } }
  write noisy
  withGo defaultConfig { onStuck = \n -> modifyIORef' stuck (+ n) } S.schema $ \b -> do
    let handledNow = countN <$> call b mHandled Ping
        -- Whatever had been handed over before has been handled when nothing is under way.
        settle = do { s <- stats; unless (inFlight s == 0) (threadDelay 1000 >> settle) }
        goesOn = do { h <- handledNow; let { more = do { k <- handledNow; unless (k > h + 10) (threadDelay 1000 >> more) } }; maybe False (const True) <$> timeout 60000000 more }
        fence name = do
          idle <- maybe False (const True) <$> timeout 60000000 settle
          unless idle (die (name ++ " calls and casts after the reload"))
          h0 <- handledNow
          replicateM_ 50 (call b mEcho (Msg_Ping Ping) >> threadDelay 500)
          h1 <- handledNow
          s <- stats
          check (name ++ ": after the reload " ++ show (h1 - h0) ++ " casts, " ++ show (slots s) ++ " slots") (h1 == h0 && slots s == 0)
    A.withAsync (reload b Reload { scriptFile = file, modulePath = [path], interpreterFlags = ["-package-db", db], pollMicros = 5000, news = writeChan said }) $ \r -> do
      A.link r
      loaded
      forM_ [1 .. 3 :: Int] $ \i -> do
        goesOn >>= check ("script " ++ show i ++ " runs")
        write quiet >> loaded >> fence ("script " ++ show i)
        write noisy >> loaded
      write broken
      e <- hear
      let text = case e of { Refused t -> t; _ -> "it was not refused" }
      check ("a script with a mistake: " ++ takeWhile (/= '\n') text) ((file ++ ":10:17: error") `isInfixOf` text)
      goesOn >>= check "and the one before goes on"
      write failing >> loaded
      f <- hear
      check "a script that fails is reported" (case f of { Ended (Just x) -> (errorStatus <$> fromException x) == Just HandlerPanic; _ -> False })
      fence "the script before it"
      before <- readIORef stuck
      write stubborn >> loaded
      goesOn >>= check "a script that swallows exceptions runs"
      write quiet >> loaded >> fence "the script that swallows exceptions"
      after <- readIORef stuck
      check ("of which " ++ show (after - before) ++ " thread goes on, and is told") (after - before == 1)
      write noisy >> loaded
      goesOn >>= check "and the next runs"
  n <- readIORef bad
  when (n > 0) exitFailure
