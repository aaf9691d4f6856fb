{-# LANGUAGE OverloadedStrings #-}
{-# LANGUAGE ScopedTypeVariables #-}
-- | A host in Haskell that does what may go wrong. Exit status 0 means that it passed.
module Main (main) where

import Control.Concurrent
import qualified Control.Concurrent.Async as A
import Control.Exception
import Control.Monad
import qualified Data.ByteString as B
import Data.IORef
import Foreign.Ptr (minusPtr, nullPtr)
import Foreign.StablePtr (castStablePtrToPtr, freeStablePtr, newStablePtr)
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
import System.Posix.IO (closeFd, createPipe, fdWrite)
import System.Posix.Process
import System.Posix.Signals
import System.Posix.Types (ByteCount)
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
    ["exit", micros] -> do
      started <- newEmptyMVar
      _ <- forkIO $ go $ \b -> do
        forM_ [1 .. 200 :: Int] $ \_ -> async b (forever (call b mObey (order "sleep" 1)))
        putMVar started ()
        threadDelay 10000000
      takeMVar started
      threadDelay (read micros)
    ["cancel"] -> cancelling >> verdict
    ["capabilities"] -> capabilities >> verdict
    ["blocked"] -> blocked >> verdict
    _ -> suite

-- Callers that are cancelled at random points. A token that was never given back would stay in GHC's table of stable pointers,
-- whose places are numbered: then the lowest of a few new ones is above all that were taken at one time.
cancelling :: IO ()
cancelling = do
  go $ \b -> do
    forM_ [1 .. 100 :: Int] $ \i -> do
      hs <- replicateM 40 (A.async (forever (call b mObey (order (if even i then "ok" else "sleep") 1))))
      threadDelay (i * 7919 `mod` 3000)
      mapM_ cancel hs
    forM_ [1 .. 1000 :: Int] $ \i -> A.withAsync (withSubscription b mTick 1 id) $ \_ -> when (even i) yield
  s <- settled
  check ("4,000 callers cancelled at random points leave nothing: " ++ show s) (slots s == 0 && inFlight s == 0 && bytesUnderWay s == 0)
  check (printf "of which %d had called" (toInteger (abandoned s))) (abandoned s > 100)
  ps <- replicateM 8 (newStablePtr ())
  let place = minimum [castStablePtrToPtr q `minusPtr` nullPtr | q <- ps]
  mapM_ freeStablePtr ps
  check (printf "a free place for a stable pointer is %d" place) (place < 1000)

-- Callers go on while their runtime gets more capabilities, and while both collect garbage. Not fewer: GHC 9.0 stops for ever when some
-- are taken away while threads are busy, in one run of ten, in a program without any library too.
capabilities :: IO ()
capabilities = go $ \b -> do
  done <- newIORef False
  let busy act = forkIO (let again = do { d <- readIORef done; unless d (act >> again) } in again)
  at <- newIORef (0 :: Int)
  _ <- busy (atomicModifyIORef' at (\i -> (i + 1, ())) >> readIORef at >>= \i -> setNumCapabilities (min 8 (i `div` 5 + 1)) >> threadDelay 500)
  _ <- busy (performMajorGC >> threadDelay 200)
  let calls i k = do
        cast b mTell (Count 1)
        r <- call b mEcho (Msg_Text (Text (T.pack (show (i, k)))))
        n <- call b mAdd (Point (fromIntegral i) (fromIntegral k))
        changes <- readIORef at
        if r /= Msg_Text (Text (T.pack (show (i, k)))) || n /= Count (fromIntegral (i + k)) then pure Nothing
          else if k >= 200 && changes >= 40 then pure (Just k) else calls i (k + 1 :: Int)
  rs <- A.forConcurrently [1 .. 16 :: Int] (\i -> calls i 1)
  writeIORef done True
  changes <- readIORef at
  check (printf "%d calls of each kind over %d settings of the number of capabilities" (maybe 0 sum (sequence rs)) changes) (all (/= Nothing) rs)

-- Callers that are blocked take no thread of the operating system, whatever they wait for.
blocked :: IO ()
blocked = do
  go $ \b -> do
    hs <- replicateM 10000 (A.async (call b mObey (order "ctx" 0)))
    full <- waitFor ((== 1024) . running <$> stats)
    threads <- field "Threads:"
    check (printf "10,000 blocked callers, 1,024 of them in handlers, on %d threads" threads) (full && threads < 64)
    -- a deadline holds with everything full
    late <- callTimeout b 10000 mEcho (Msg_Ping Ping)
    check "a deadline holds meanwhile" (late == Nothing)
    mapM_ (forkIO . cancel) hs
    rs <- mapM A.waitCatch hs
    check "all were cancelled" (all (either (const True) (const False)) rs)
    r <- call b mEcho (Msg_Ping Ping)
    check "and the next call is served" (r == Msg_Pong (Pong 1))
  s <- settled
  check ("nothing is left: " ++ show s) (slots s == 0 && inFlight s == 0)

waitFor :: IO Bool -> IO Bool
waitFor c = loop (60000 :: Int) where loop i = c >>= \ok -> if ok || i == 0 then pure ok else threadDelay 1000 >> loop (i - 1)

settled :: IO Stats
settled = waitFor ((\s -> slots s == 0 && inFlight s == 0) <$> stats) >> stats

verdict :: IO ()
verdict = do
  bad <- readIORef failures
  printf "%d failures\n" bad
  when (bad > 0) exitFailure

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
  (ms, late) <- timed $ go $ \b -> (,) <$> callTimeout b 20000 mObey (order "sleep" 700) <*> callTimeout b 10000000 mObey (order "ok" 0)
  check (printf "a deadline of 20 ms on a handler of 700 ms: Nothing, and closing waited for it (%.0f ms)" ms) (fmap (const ()) (fst late) == Nothing && fmap (const ()) (snd late) == Just () && ms >= 690)
  ctx <- go $ \b -> callTimeout b 5000 mObey (order "ctx" 0)
  check "a deadline reaches the handler" (ctx == Nothing)
  full <- withGo defaultConfig { maxInFlight = 2 } S.schema $ \b ->
    A.withAsync (call b mObey (order "ctx" 0)) $ \_ -> A.withAsync (call b mObey (order "ctx" 0)) $ \_ -> do
      _ <- waitFor ((== 2) . running <$> stats)
      timed (callTimeout b 20000 mEcho (Msg_Ping Ping))
  check (printf "a deadline covers the wait for room (%.0f ms)" (fst full)) (fst full < 60000 && snd full == Nothing)

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
  ended <- A.waitCatch idle -- it may not have begun: then it never does, and says so
  check "also not one that does not call" (either (const True) (const False) ended)
  count <- newIORef (0 :: Int)
  go $ \b -> do
    _ <- withAsync b (forever (call b mEcho (Msg_Ping Ping) >> modifyIORef' count (+ 1))) $ \_ -> waitFor ((> 0) <$> readIORef count)
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
  (tRevoke, ()) <- timed $ withGo defaultConfig { graceMicros = 2000000, onStuck = \k -> modifyIORef' stuck (+ k) } S.schema $ \b -> do
    withScope b $ \s -> do
      _ <- async s (mask_ $ let again = do { _ <- try (call s mEcho (Msg_Ping Ping)) :: IO (Either SomeException Msg); modifyIORef' swallowed (+ 1); q <- readIORef stop; if q then pure () else threadDelay 100 `catch` (\(_ :: SomeException) -> pure ()) >> again } in again)
      _ <- async s (forever (cast s mTell (Count 1) >> threadDelay 1000))
      threadDelay 20000
    _ <- settled -- the casts that were told before
    before <- call b mHandled Ping
    threadDelay 20000
    after <- call b mHandled Ping
    check "no cast after a scope was revoked" (before == after)
  k <- readIORef stuck
  writeIORef stop True
  check (printf "a script that swallows cancellation does not hold up its host (%.0f ms, %d stuck)" tRevoke k) (tRevoke < 60000 && k == 1)

  -- many callers
  (t100k, ()) <- timed $ runInUnboundThread $ go $ \b -> do { as <- replicateM 100000 (async b (call b mEcho (Msg_Ping Ping))); mapM_ wait as }
  threads2 <- field "Threads:"
  check (printf "100,000 asyncs in %.0f ms on %d threads" t100k threads2) (threads2 < 64)
  (_, rep) <- withGoReport defaultConfig { drainMicros = 60000000 } S.schema $ \b -> do
    forM_ [1 .. 500 :: Int] $ \_ -> async b (call b mObey (order "sleep" 30))
    threadDelay 3000
  s0 <- settled
  check ("closing with 500 under way: " ++ show rep) (zombies rep == 0 && slots s0 == 0)

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
  check (printf "1,000 times: %.2f ms each, %d -> %d kB, %d -> %d threads" (tr / 1000) rss rss2 th th2) (rss2 - rss < 8192 && th2 - th < 50) -- a loaded machine has Go keep some threads more

  -- fork, signals
  f <- go $ \b -> do
    pid <- forkProcess $ do
      q <- status (call b mEcho (Msg_Ping Ping))
      exitImmediately (if q == Just Forked then ExitSuccess else ExitFailure 3)
    getProcessStatus True False pid
  check ("a fork's child is told: " ++ show f) (f == Just (Exited ExitSuccess))
  before <- abandoned <$> stats -- GHC takes one interrupt; the next ends the program
  c <- try (go (\b -> forkIO (waitFor ((== 1) . running <$> stats) >> raiseSignal sigINT) >> call b mObey (order "ctx" 0)))
  after <- abandoned <$> stats
  check "an interrupt stays an interrupt, ends a call, and cancels its handler" (either (== UserInterrupt) (const False) c && after == before + 1)
  p <- go $ \_ -> do
    (from, to) <- createPipe
    closeFd from
    try (fdWrite to "x") :: IO (Either IOException ByteCount)
  check "a pipe that nobody reads is an exception" (either (const True) (const False) p)
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

  verdict
  where
    swap a b' s = let (x, y) = B.breakSubstring a s in x <> b' <> B.drop (B.length a) y
