{-# LANGUAGE ForeignFunctionInterface #-}
-- | What a program in C runs that ends GHC's runtime while calls are under way, and goes on: see exit.c.
module Exit where

import Control.Concurrent
import Control.Monad
import Isthmus.Bridge
import SampleBridge hiding (schema)
import qualified SampleBridge as S
import qualified Data.Text as T

foreign export ccall begin :: IO ()

-- | Leaves calls under way that end two seconds from now, and somebody who waits for an event.
begin :: IO ()
begin = do
  started <- newQSemN 0
  _ <- forkIO $ withGo defaultConfig S.schema $ \b -> do
    _ <- async b (withSubscription b mTick 1 (forever . void))
    forM_ [1 .. 100 :: Int] $ \_ -> async b (signalQSemN started 1 >> call b mObey (Order (T.pack "sleep") 2000000000 0))
    forever (threadDelay 1000000)
  waitQSemN started 100
  let submitted = do { s <- stats; unless (inFlight s == 100) (threadDelay 1000 >> submitted) }
  submitted
