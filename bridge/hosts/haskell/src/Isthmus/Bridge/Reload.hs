{-# LANGUAGE CPP #-}
-- | Scripts in Haskell that use the bridge: loaded at run time by GHC's interpreter, and again when their file changes.
--
-- A script is a module @Script@ with a @script :: Bridge -> IO ()@. What it has of Go is that bridge, which is a scope of its
-- own: before the next script begins the scope is revoked ('withScope'), so that no call and no cast of the old one reaches
-- Go any more, whatever it does with exceptions. Threads that do not end within 'graceMicros' are told to 'onStuck'.
--
-- What a revoked scope cannot do is end a thread that swallows exceptions, or one that computes without allocating; nor does
-- it know of a script's own files and sockets.
--
-- Link the host with @-dynamic@, or the interpreter brings a second copy of each package. The flag @hint@ of this package
-- brings this module.
module Isthmus.Bridge.Reload (Reload (..), News (..), reload) where

import Control.Concurrent (threadDelay)
import Control.Concurrent.Async (AsyncCancelled (..))
import Control.Exception
import Control.Monad (void)
import Control.Monad.IO.Class (liftIO)
import qualified Data.ByteString as B
import Data.IORef
import Data.List (nub)
#if !MIN_VERSION_ghc(9,2,0)
import qualified GHC
import GHC.Utils.Error (Severity (..), mkLocMessage)
import GHC.Utils.Outputable (showSDoc)
#endif
import Isthmus.Bridge
import qualified Language.Haskell.Interpreter as I
import qualified Language.Haskell.Interpreter.Unsafe as I
import System.FilePath (takeDirectory)

-- | What to load.
data Reload = Reload
  { scriptFile :: FilePath
  , modulePath :: [FilePath]       -- ^ where modules are that it imports, the generated one for instance
  , interpreterFlags :: [String]   -- ^ of GHC: @-package-db@ and a place, if GHC does not know of this package by itself
  , pollMicros :: Int              -- ^ how often to look at the file
  , news :: News -> IO ()
  }

-- | What happened.
data News
  = Loaded                       -- ^ a script runs; nothing of the one before it reaches Go any more
  | Refused String               -- ^ it is no script, and the one before goes on: what GHC says, with file, line and column
  | Ended (Maybe SomeException)  -- ^ the script has returned, or failed

-- | Runs the script, and again whenever its file has changed, until it is cancelled.
reload :: Bridge -> Reload -> IO a
reload b o = next Nothing >>= go
  where
    go (text, script) = go =<< withScope b (\s -> do
      news o Loaded
      _ <- async s (try (script s) >>= ended)
      next (Just text))

    ended (Right ()) = news o (Ended Nothing)
    ended (Left e)
      | Just AsyncCancelled <- fromException e = pure ()
      | Just (BridgeError Closed _) <- fromException e = pure ()
      | otherwise = news o (Ended (Just e))

    -- The next script that compiles, with the text that was looked at before: a change while it was compiled is the next.
    next seen = do
      text <- changed seen
      r <- compile
      either (\why -> news o (Refused why) >> next (Just text)) (\script -> pure (text, script)) r

    changed seen = do
      now <- try (B.readFile (scriptFile o))
      case now of
        Right text | Just text /= seen -> pure text
        Right _ -> again
        Left e | Nothing <- seen -> throwIO (e :: IOException)
               | otherwise -> again -- an editor is at it
      where again = threadDelay (pollMicros o) >> changed seen

    -- The interpreter has signal handlers of its own while it works, and puts back the ones before.
    compile = do
      errors <- newIORef []
      r <- I.unsafeRunInterpreterWithArgs (interpreterFlags o) (load errors)
      _ <- auditSignals
      logged <- readIORef errors
      pure (either (Left . explain logged) Right r)
    load :: IORef [String] -> I.InterpreterT IO (Bridge -> IO ())
    load errors = do
      void (liftIO auditSignals)
      listen errors
      I.set [I.searchPath I.:= (takeDirectory (scriptFile o) : modulePath o)]
      I.loadModules [scriptFile o]
      I.setImportsQ [("Prelude", Nothing), ("Isthmus.Bridge", Nothing), ("Script", Just "Script")]
      I.interpret "Script.script" (I.as :: Bridge -> IO ())

explain :: [String] -> I.InterpreterError -> String
explain _ (I.WontCompile es) = unlines (nub (map I.errMsg es))
explain [] e = show e
explain logged _ = unlines (nub (reverse logged))

-- hint 0.9.0.6 loses GHC's errors before 9.2: they went to standard error, and what it gave was that it got none.
listen :: IORef [String] -> I.InterpreterT IO ()
#if MIN_VERSION_ghc(9,2,0)
listen _ = pure ()
#else
listen errors = I.runGhc (GHC.setLogAction (\flags _ severity place text -> case severity of
  SevError -> modifyIORef' errors (showSDoc flags (mkLocMessage severity place text) :)
  _ -> pure ()))
#endif
