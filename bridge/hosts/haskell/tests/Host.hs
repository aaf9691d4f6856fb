{-# LANGUAGE OverloadedStrings #-}
{-# LANGUAGE ScopedTypeVariables #-}
-- | A host in Haskell that does what may go wrong. Exit status 0 means that it passed.
module Main (main) where

import Control.Concurrent hiding (yield)
import qualified Control.Concurrent.Async as A
import Control.Exception
import Control.Monad
import qualified Data.ByteString as B
import Data.IORef
import qualified Data.Text as T
import GHC.Clock
import Isthmus.Bridge
import SampleBridge hiding (schema)
import qualified SampleBridge as S
import System.Environment
import System.Exit
import System.IO
import System.IO.Unsafe (unsafePerformIO)
import System.Mem (performMajorGC)
import System.Posix.Process
import System.Posix.Signals
import Text.Printf

{-# NOINLINE failures #-}
failures :: IORef Int
failures = unsafePerformIO (newIORef 0)

check :: String -> Bool -> IO ()
check what ok = do
  putStrLn ((if ok then "ok    " else "FAIL  ") ++ what)
  hFlush stdout
  unless ok (modifyIORef' failures (+ 1))

timed :: IO a -> IO (Double, a)
timed a = do { t <- getMonotonicTime; r <- a; u <- getMonotonicTime; pure ((u - t) * 1000, r) }

status :: IO a -> IO (Maybe Status)
status a = either (Just . errorStatus) (const Nothing) <$> try a

field :: String -> IO Int
field k = do
  s <- readFile "/proc/self/status"
  pure (head [read (words l !! 1) | l <- lines s, take (length k) l == k])

go :: (Bridge -> IO a) -> IO a
go = withGo defaultConfig S.schema

order :: T.Text -> Int -> Order
order how ms = Order how (fromIntegral ms * 1000000) 0

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  args <- getArgs
  case args of
    ["unthreaded"] -> do
      r <- status (go (const (pure ())))
      if r == Just NonThreadedRts then putStrLn "refused" else exitFailure
    ["bench", n] -> bench (read n)
    ["exit"] -> do
      started <- newEmptyMVar
      _ <- forkIO $ go $ \b -> do
        forM_ [1 .. 200 :: Int] $ \_ -> async b (forever (call b mObey (order "sleep" 1)))
        putMVar started ()
        threadDelay 10000000
      takeMVar started
      threadDelay 20000
    _ -> suite

bench :: Int -> IO ()
bench n = go $ \b -> do
  forM_ [1, 8, 64] $ \callers -> do
    (ms, ()) <- timed (A.replicateConcurrently_ callers (replicateM_ (n `div` callers) (call b mEcho (Msg_Ping Ping))))
    printf "%d calls of %d callers: %.0f ms, %.2f us each\n" n callers ms (ms * 1000 / fromIntegral n)
  (ms, ()) <- timed (replicateM_ n (void (call b mAdd (Point 1 2))))
  printf "%d inline calls: %.0f ms, %.0f ns each\n" n ms (ms * 1e6 / fromIntegral n)
  (mc, ()) <- timed (replicateM_ n (cast b mTell (Count 1)))
  printf "%d casts: %.0f ms, %.0f ns each\n" n mc (mc * 1e6 / fromIntegral n)

suite :: IO ()
suite = do
  r <- go $ \b -> call b mEcho (Msg_Ping Ping)
  check "a call" (r == Msg_Pong (Pong 1))
  t <- go $ \b -> call b mEcho (Msg_Text (Text "gr\252\223e \128512"))
  check "text comes back" (t == Msg_Text (Text "gr\252\223e \128512"))
  n <- go $ \b -> call b mAdd (Point 40 2)
  check "an inline call" (n == Count 42)
  big <- go $ \b -> call b mObeyInline (Order "ok" 0 100000)
  check "an inline call with a long reply" (B.length (blobData big) == 100000)

  -- B07
  ps <- go $ \b -> forM [(c, h) | c <- [mObey, mObeyInline], h <- ["panic", "nil map", "custom", "worse", "error"]] $ \(c, h) -> status (call b c (order h 0))
  check "panics are errors" (ps == concat (replicate 2 (replicate 4 (Just HandlerPanic) ++ [Just HandlerFailed])))
  g <- go $ \b -> status (call b mObey (order "goexit" 0))
  check "Goexit is an error" (g == Just HandlerPanic)

  -- B03, B05
  tooBig <- go $ \b -> status (call b mEcho (Msg_Text (Text (T.replicate 3000000 "x"))))
  check "too long a request" (tooBig == Just TooBig)
  tooLong <- go $ \b -> status (call b mObey (Order "ok" 0 3000000))
  check "too long a reply" (tooLong == Just ReplyTooBig)
  small <- withGo defaultConfig { maxRequest = 8 } S.schema $ \b -> status (call b mEcho (Msg_Text (Text "more than that")))
  check "the host's own limit" (small == Just TooBig)

  -- B04
  (ms, late) <- timed $ go $ \b -> (,) <$> callTimeout b 20000 mObey (order "sleep" 200) <*> callTimeout b 10000000 mObey (order "ok" 0)
  check (printf "a deadline of 20 ms on a handler of 200 ms: Nothing, and closing waited for it (%.0f ms)" ms) (fmap (const ()) (fst late) == Nothing && fmap (const ()) (snd late) == Just () && ms >= 190)
  ctx <- go $ \b -> callTimeout b 5000 mObey (order "ctx" 0)
  check "a deadline reaches the handler" (ctx == Nothing)
  full <- withGo defaultConfig { maxInFlight = 2 } S.schema $ \b ->
    A.withAsync (call b mObey (order "sleep" 300)) $ \_ -> A.withAsync (call b mObey (order "sleep" 300)) $ \_ -> do
      threadDelay 20000
      timed (callTimeout b 20000 mEcho (Msg_Ping Ping))
  check (printf "a deadline covers the wait for room (%.0f ms)" (fst full)) (fst full < 250 && snd full == Nothing)

  -- B01
  twice <- go $ \_ -> status (go (const (pure ())))
  check "one at a time" (twice == Just Busy)
  escaped <- go pure
  e1 <- status (call escaped mEcho (Msg_Ping Ping))
  e2 <- status (cast escaped mTell (Count 1))
  e3 <- status (async escaped (pure ()))
  check "a bridge after its scope is closed" ([e1, e2, e3] == replicate 3 (Just Closed))
  _ <- go $ \b -> do { e <- status (call escaped mEcho (Msg_Ping Ping)); check "also when another is open" (e == Just Closed); call b mEcho (Msg_Ping Ping) }

  -- B02
  h <- go $ \b -> async b (forever (call b mEcho (Msg_Ping Ping)))
  w <- A.waitCatch h
  check "async cannot outlive withGo" (either (const True) (const False) w)
  idle <- go $ \b -> async b (threadDelay 100000000)
  ended <- A.poll idle
  check "also not one that does not call" (maybe False (either (const True) (const False)) ended)
  count <- newIORef (0 :: Int)
  go $ \b -> do
    withAsync b (forever (call b mEcho (Msg_Ping Ping) >> modifyIORef' count (+ 1))) $ \_ -> threadDelay 20000
    n1 <- readIORef count
    threadDelay 10000
    n2 <- readIORef count
    check (printf "withAsync cancels (%d calls, then none)" n1) (n1 > 0 && n1 == n2)
  cause <- try (go $ \b -> withAsync b (threadDelay 1000 >> throwIO (userError "child")) $ \a -> wait a) :: IO (Either IOException ())
  check "a child's exception reaches who waits" (either (const True) (const False) cause)

  -- B10: a scope that is revoked under what swallows cancellation
  stuck <- newIORef (0 :: Int)
  swallowed <- newIORef (0 :: Int)
  stop <- newIORef False
  (tRevoke, ()) <- timed $ withGo defaultConfig { graceMicros = 50000, onStuck = \k -> modifyIORef' stuck (+ k) } S.schema $ \b -> do
    withScope b $ \s -> do
      _ <- async s (let again = do { _ <- try (call s mEcho (Msg_Ping Ping)) :: IO (Either SomeException Msg); modifyIORef' swallowed (+ 1); q <- readIORef stop; if q then pure () else threadDelay 100 `catch` (\(_ :: SomeException) -> pure ()) >> again } in again)
      _ <- async s (forever (cast s mTell (Count 1) >> threadDelay 1000))
      threadDelay 20000
    before <- call b mHandled Ping
    threadDelay 20000
    after <- call b mHandled Ping
    check "no cast after a scope was revoked" (before == after)
  k <- readIORef stuck
  writeIORef stop True
  check (printf "a script that swallows cancellation does not hold up its host (%.0f ms, %d stuck)" tRevoke k) (tRevoke < 5000 && k == 1)

  -- B06 and many callers
  (t10k, ()) <- timed $ go $ \b -> A.replicateConcurrently_ 10000 (call b mObey (order "sleep" 1))
  threads <- field "Threads:"
  check (printf "10,000 callers in %.0f ms on %d threads" t10k threads) (threads < 64)
  (t100k, ()) <- timed $ go $ \b -> do { as <- replicateM 100000 (async b (call b mEcho (Msg_Ping Ping))); mapM_ wait as }
  threads2 <- field "Threads:"
  check (printf "100,000 asyncs in %.0f ms on %d threads" t100k threads2) (threads2 < 64)
  (_, rep) <- withGoReport defaultConfig S.schema $ \b -> do
    forM_ [1 .. 500 :: Int] $ \_ -> async b (call b mObey (order "sleep" 30))
    threadDelay 3000
  s0 <- settled
  check ("closing with 500 under way: " ++ show rep) (zombies rep == 0 && slots s0 == 0)
  go $ \b -> forM_ [1 .. 100 :: Int] $ \i -> do
    hs <- replicateM 20 (A.async (forever (call b mObey (order (if even i then "ok" else "sleep") 1))))
    threadDelay (i * 10)
    mapM_ cancel hs
  s1 <- settled
  check ("2,000 callers cancelled at random points leave nothing: " ++ show s1) (slots s1 == 0 && inFlight s1 == 0 && bytesUnderWay s1 == 0)

  -- events
  got <- go $ \b -> withSubscription b mTick 100 $ \next -> A.withAsync (replicateM 5 next) $ \a -> do
    threadDelay 5000
    _ <- call b mEmit (Count 5)
    A.wait a
  check "events" (got == [(Count i, 0) | i <- [0 .. 4]])
  quiet <- go $ \b -> withSubscription b mTick 100 $ \next -> do { a <- A.async next; threadDelay 2000; cancel a; A.waitCatch a }
  check "waiting for an event can be cancelled" (either (const True) (const False) quiet)

  -- again and again
  let cycles m = replicateM_ m (go (\b -> replicateM_ 3 (call b mEcho (Msg_Ping Ping)) >> cast b mTell (Count 1)))
  cycles 200
  performMajorGC
  rss <- field "VmRSS:"
  th <- field "Threads:"
  (tr, ()) <- timed (cycles 1000)
  performMajorGC
  rss2 <- field "VmRSS:"
  th2 <- field "Threads:"
  check (printf "1,000 times: %.2f ms each, %d -> %d kB, %d -> %d threads" (tr / 1000) rss rss2 th th2) (rss2 - rss < 8192 && th2 - th < 8)

  -- fork, signals
  f <- go $ \b -> do
    pid <- forkProcess $ do
      q <- status (call b mEcho (Msg_Ping Ping))
      exitImmediately (if q == Just Forked then ExitSuccess else ExitFailure 3)
    getProcessStatus True False pid
  check ("a fork's child is told: " ++ show f) (f == Just (Exited ExitSuccess))
  u <- try (go (\_ -> raiseSignal sigINT >> threadDelay 2000000))
  check "an interrupt stays an interrupt" (u == Left UserInterrupt)
  hits <- newIORef (0 :: Int)
  _ <- installHandler sigUSR1 (Catch (modifyIORef' hits (+ 1))) Nothing
  go $ \b -> do
    _ <- installHandler sigUSR2 (Catch (modifyIORef' hits (+ 1))) Nothing
    mended <- auditSignals
    check (printf "%d handlers that were installed late got a stack" mended) (mended >= 1)
    me <- getProcessID
    A.withAsync (forever (call b mEcho (Msg_Text (Text (T.replicate 500 "x"))))) $ \_ -> forM_ [1 .. 5000 :: Int] $ \i -> do
      signalProcess (if even i then sigUSR1 else sigUSR2) me
      when (i `mod` 20 == 0) (threadDelay 100) -- GHC's own pipe of signals is short
  hit <- readIORef hits
  check (printf "%d of 5,000 signals handled" hit) (hit > 0)

  -- B09
  let wrong = S.schema { schemaText = swap "note:utf8" "note:bytes" (schemaText S.schema), schemaPrint = B.replicate 16 1 }
  m <- try (withGo defaultConfig wrong (const (pure ()))) :: IO (Either BridgeError ())
  check ("another schema: " ++ show (fmap (const ()) m)) (either ((== SchemaMismatch) . errorStatus) (const False) m)

  bad <- readIORef failures
  printf "%d failures\n" bad
  when (bad > 0) exitFailure
  where
    settled = loop (200 :: Int)
    loop i = do { s <- stats; if (slots s == 0 && inFlight s == 0) || i == 0 then pure s else threadDelay 10000 >> loop (i - 1) }
    swap a b' s = let (x, y) = B.breakSubstring a s in x <> b' <> B.drop (B.length a) y
