{-# LANGUAGE CPP #-}
{-# LANGUAGE ForeignFunctionInterface #-}
-- | The host in Haskell, of one side at a time: it reads lines of side, row and number, does that many operations, and prints the nanoseconds of one;
-- for the row threads, the most threads of the operating system that there were.
module Main (main) where

import BenchBridge
import Control.Concurrent
import Control.Exception
import Control.Monad
import qualified Data.ByteString as B
import qualified Data.ByteString.Unsafe as B
import Data.IORef
import Data.Int
import Data.Word
import Foreign hiding (void)
import Foreign.C.Types
import GHC.Clock
import Isthmus.Bridge
import Isthmus.Bridge.Wire (decode, encode)
import System.IO
import System.Mem (performMinorGC)

type Reply = StablePtr (MVar B.ByteString) -> Ptr Word8 -> CSize -> IO ()

foreign import ccall safe "bare_call" bareCall :: Word64 -> IO Word64
foreign import ccall safe "plain_call" plainCall :: Ptr Word8 -> CSize -> Ptr Word8 -> CSize -> IO Int64
foreign import ccall unsafe "bench_told" goTold :: IO Word64
foreign export ccall callResponse :: Reply
foreign import ccall "&callResponse" callResponsePtr :: FunPtr Reply

#define RUST(init_, deinit_, call_, cast_, told_, inline_, p) \
foreign import ccall safe init_ p/**/Init :: FunPtr Reply -> CSize -> IO (); \
foreign import ccall safe deinit_ p/**/Deinit :: IO (); \
foreign import ccall safe call_ p/**/Call :: StablePtr (MVar B.ByteString) -> Ptr Word8 -> CSize -> IO (); \
foreign import ccall safe cast_ p/**/Cast :: Ptr Word8 -> CSize -> IO (); \
foreign import ccall unsafe told_ p/**/Told :: IO Word64; \
foreign import ccall safe inline_ p/**/Inline :: Ptr Word8 -> CSize -> Ptr Word8 -> CSize -> IO Int64

RUST("rs_init", "rs_deinit", "rs_call", "rs_cast", "rs_told", "rs_inline", rs)
#ifdef HAVE_FLUME
RUST("fl_init", "fl_deinit", "fl_call", "fl_cast", "fl_told", "fl_inline", fl)
#endif

-- What the requirement describes: the dispatch thread calls in with the response.
callResponse :: Reply
callResponse sp p n = do
  box <- deRefStablePtr sp
  freeStablePtr sp
  m <- B.packCStringLen (castPtr p, fromIntegral n)
  void (tryPutMVar box m)

withMessage :: Msg -> (Ptr Word8 -> CSize -> IO a) -> IO a
withMessage m f = do
  b <- either throwIO pure (encode m)
  B.unsafeUseAsCStringLen b (\(p, n) -> f (castPtr p) (fromIntegral n))

decoded :: B.ByteString -> IO Msg
decoded = either throwIO pure . decode

rustCall :: (StablePtr (MVar B.ByteString) -> Ptr Word8 -> CSize -> IO ()) -> Msg -> IO Msg
rustCall f m = do
  box <- newEmptyMVar
  sp <- newStablePtr box
  withMessage m (f sp)
  takeMVar box >>= decoded

direct :: (Ptr Word8 -> CSize -> Ptr Word8 -> CSize -> IO Int64) -> Msg -> IO Msg
direct f m = withMessage m $ \p n -> allocaBytes (fromIntegral n + 64) $ \out -> do
  r <- f p n out (n + 64)
  when (r < 0) (throwIO (userError "refused"))
  B.packCStringLen (castPtr out, fromIntegral r) >>= decoded

callers :: Int -> Int -> IO () -> IO ()
callers 1 n a = replicateM_ n a
callers k n a = do
  boxes <- replicateM k newEmptyMVar
  forM_ boxes $ \box -> forkIO (replicateM_ (n `div` k) a `finally` putMVar box ())
  mapM_ takeMVar boxes

-- | Until all have been consumed.
consumed :: IO Word64 -> Int -> IO () -> IO ()
consumed count n a = do
  before <- count
  a
  let loop = do { now <- count; when (now - before < fromIntegral n) (threadDelay 20 >> loop) }
  loop

-- | The most threads of this process, while an action runs.
peak :: IO () -> IO Int
peak a = do
  most <- newIORef 0
  stop <- newIORef False
  ended <- newEmptyMVar
  _ <- forkOS $ do
    let look = do
          s <- readFile "/proc/self/status"
          let n = head [read (words l !! 1) | l <- lines s, take 8 l == "Threads:"]
          modifyIORef' most (max n)
          e <- readIORef stop
          unless e (threadDelay 300 >> look)
    look `finally` putMVar ended ()
  a
  writeIORef stop True
  takeMVar ended
  readIORef most

ping :: Msg
ping = Msg_Ping Ping

blob :: Msg
blob = Msg_Blob (Blob (B.replicate 65536 7))

-- | Each caller has a message of its own to encode, as one that is known needs not be encoded twice.
calls :: (Msg -> IO Msg) -> (Msg -> IO Msg) -> [(String, Int -> IO ())]
calls f lent =
  [("call-" ++ show k, \n -> callers k n (f ping >>= evaluate >> pure ())) | k <- [1, 8, 64]]
    ++ [(row, \n -> callers 1 n (g blob >>= evaluate >> pure ())) | (row, g) <- [("echo-64k", f), ("lent-64k", lent)]]

casts :: IO Word64 -> (Msg -> IO ()) -> [(String, Int -> IO ())]
casts count f = [("cast-" ++ show k, \n -> consumed count (n `div` k * k) (callers k n (f ping))) | k <- [1, 8]]

rows :: Bridge -> [(String, String, Int -> IO ())]
rows b = concat
  [ side "bridge" (calls (call b mEcho) (call b mLent) ++ casts goTold (cast b mTell) ++ [("inline", \n -> callers 1 n (call b mQuick ping >>= evaluate >> pure ()))])
  , side "c" [("inline", \n -> replicateM_ n (bareCall 1))]
  , side "cgo" (both (direct plainCall) ++ [("inline", \n -> callers 1 n (direct plainCall ping >>= evaluate >> pure ()))])
  , side "rust" (both (rustCall rsCall) ++ casts rsTold (\m -> withMessage m rsCast) ++ [("inline", \n -> callers 1 n (direct rsInline ping >>= evaluate >> pure ()))])
#ifdef HAVE_FLUME
  , side "rust-flume" (both (rustCall flCall) ++ casts flTold (\m -> withMessage m flCast))
#endif
  ]
  where
    side name = map (\(row, f) -> (name, row, f))
    both f = calls f f

-- | These begin and end the library, or count threads: a process has one.
alone :: [(String, String, Int -> IO Double)]
alone =
  [ ("bridge", "init-deinit", timed (\n -> replicateM_ n (withGo defaultConfig schema (const (pure ())))))
  , ("rust", "init-deinit", timed (\n -> replicateM_ n (rsInit callResponsePtr limit >> rsDeinit)))
  , ("bridge", "threads", \n -> withGo defaultConfig schema (\b -> most n (call b mEcho ping)))
  , ("rust", "threads", \n -> bracket_ (rsInit callResponsePtr limit) rsDeinit (most n (rustCall rsCall ping)))
#ifdef HAVE_FLUME
  , ("rust-flume", "init-deinit", timed (\n -> replicateM_ n (flInit callResponsePtr limit >> flDeinit)))
  , ("rust-flume", "threads", \n -> bracket_ (flInit callResponsePtr limit) flDeinit (most n (rustCall flCall ping)))
#endif
  ]
  where most n a = fromIntegral <$> peak (callers n n (void a))

limit :: CSize
limit = 1048576

timed :: (Int -> IO ()) -> Int -> IO Double
timed f n = do
  performMinorGC
  t <- getMonotonicTimeNSec
  f n
  u <- getMonotonicTimeNSec
  pure (fromIntegral (u - t) / fromIntegral n)

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  forM_ alone $ \(side, row, _) -> putStrLn (side ++ " " ++ row)
  rsInit callResponsePtr limit
  rsDeinit
  let names = withGo defaultConfig schema (\b -> pure [(side, row) | (side, row, _) <- rows b])
  names >>= mapM_ (\(side, row) -> putStrLn (side ++ " " ++ row))
  putStrLn "ready"
  let loop = do
        end <- isEOF
        unless end $ do
          line <- getLine
          case words line of
            [side, row, n] | f : _ <- [f | (s, r, f) <- alone, s == side, r == row] -> f (read n) >>= print
                           | otherwise -> open (serve side row (read n))
            _ -> putStrLn "?"
          loop
      serve side row n b = case [f | (s, r, f) <- rows b, s == side, r == row] of
        f : _ -> f (max 1 (n `div` 8)) >> timed f n >>= print
        _ -> putStrLn "?"
  loop
  where
    open act = do
      rsInit callResponsePtr limit
#ifdef HAVE_FLUME
      flInit callResponsePtr limit
#endif
      withGo defaultConfig schema act
      rsDeinit
#ifdef HAVE_FLUME
      flDeinit
#endif
