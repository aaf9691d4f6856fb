{-# LANGUAGE ScopedTypeVariables #-}
-- | Hosts of a bridge into Go.
--
-- > main = withGo defaultConfig schema $ \b -> do
-- >   r <- call b mEcho (Msg_Ping Ping)
-- >   m <- callTimeout b 10000 mEcho (Msg_Ping Ping)
--
-- What holds, whatever a program does:
--
-- * Nothing that 'async', 'withAsync' or 'withScope' began runs when 'withGo' has returned, unless it swallows exceptions for
--   longer than 'graceMicros'; then its calls fail with 'Closed', and 'withGo' says so by 'onStuck'.
-- * A 'Bridge' that is used after its scope gives 'Closed'. No pointer is in a user's hands.
-- * When 'withScope' has returned, no call and no cast that uses its bridge reaches Go any more, from whatever thread; calls
--   that were under way are cancelled.
-- * A program that ends without closing the bridge (its main thread leaves, or @hs_exit@) is not called by Go any more.
-- * A caller waits for room in STM and for its reply in an 'MVar': it can be cancelled at both places, and neither takes an
--   operating system thread. A call that is cancelled cancels the context of its handler in Go.
-- * A message that is none is a 'WireError', on either side.
--
-- A bound thread, as @main@ is one, costs a change of the system's thread whenever it waits: a program whose main thread itself
-- calls much, or begins many threads that do, is twice as fast in 'Control.Concurrent.runInUnboundThread'.
--
-- The program must be linked with @-threaded@; anything else is refused ('NonThreadedRts'): Go completes calls from threads
-- of its own.
module Isthmus.Bridge
  ( -- * The bridge
    Bridge, Config (..), defaultConfig, Report (..), withGo, withGoReport
    -- * Methods
  , call, callTimeout, cast, withSubscription
    -- * Structure
  , async, withAsync, withScope, wait, cancel, Async
    -- * Failures
  , BridgeError (..), Status (..), WireError (..)
    -- * What is under way
  , Stats (..), stats, auditSignals
  , module Isthmus.Bridge.Method
  ) where

import Control.Concurrent (ThreadId, forkIO, myThreadId, rtsSupportsBoundThreads, threadCapability, yield)
import Control.Concurrent.Async (Async, AsyncCancelled (..), cancel, wait)
import qualified Control.Concurrent.Async as A
import Control.Concurrent.MVar
import Control.Concurrent.STM hiding (check)
import Control.Exception
import Control.Monad
import qualified Data.ByteString as B
import qualified Data.ByteString.Unsafe as B
import Data.IORef
import Data.Int
import qualified Data.Map.Strict as Map
import qualified Data.Sequence as Seq
import qualified Data.Set as Set
import qualified Data.Text as T
import qualified Data.Text.Encoding as T
import qualified Data.Text.Encoding.Error as T
import Data.Unique (Unique, newUnique)
import Data.Word
import Foreign hiding (void)
import Foreign.C.Types (CSize)
import GHC.Clock (getMonotonicTimeNSec)
import GHC.Conc (PrimMVar, newStablePtrPrimMVar)
import Isthmus.Bridge.Codec
import Isthmus.Bridge.Counter
import Isthmus.Bridge.FFI
import Isthmus.Bridge.Method
import System.Timeout (timeout)

-- | What a call ended with: br_status.
data Status
  = Again | Closed | TooBig | DecodeFailed | HandlerPanic | DeadlinePassed | Cancelled | Forked | SchemaMismatch
  | VersionMismatch | Busy | HandlerFailed | NoMethod | BadArgument | NoMemory | ReplyTooBig | NothingThere
  | NonThreadedRts -- ^ the program is not linked with @-threaded@
  | UnknownStatus
  deriving (Eq, Show, Enum, Bounded)

-- | A call that failed, and what the other side says of it.
data BridgeError = BridgeError { errorStatus :: !Status, errorText :: !T.Text } deriving (Eq, Show)

instance Exception BridgeError

toStatus :: Int32 -> Status
toStatus n | n >= 1 && n <= 17 = toEnum (fromIntegral n - 1)
           | otherwise = UnknownStatus

failure :: Int32 -> IO a
failure n = throwIO (BridgeError (toStatus n) T.empty)

check :: Int32 -> IO ()
check 0 = pure ()
check n = failure n

-- | Limits, which a host can lower but not raise; 0 is the library's.
data Config = Config
  { maxRequest, maxReply, maxInFlight, maxBytes :: !Word64
  , drainMicros :: !Word64  -- ^ how long closing waits for handlers; 0: the library's time
  , graceMicros :: !Int     -- ^ how long a scope waits for its children to end when it has cancelled them
  , onStuck :: Int -> IO () -- ^ called with the number of children that did not
  }

-- | The library's limits, a grace of one second.
defaultConfig :: Config
defaultConfig = Config 0 0 0 0 0 1000000 (const (pure ()))

-- | What closing found under way.
data Report = Report { finished, closed, castsDropped, zombies :: !Word64, zombieMethods :: !T.Text } deriving (Eq, Show)

-- | An open bridge, or a scope in one.
data Bridge = Bridge
  { generation :: !Word64
  , config :: !Config
  , mine :: !(TVar Bool)    -- ^ this scope is open
  , outer :: [TVar Bool]    -- ^ and so must be those around it
  , gates :: [Gate]         -- ^ of this scope and those around it, but not the whole bridge's: there the generation is that
  , runtime :: !(ForeignPtr ()) -- ^ while it lives Go may call this runtime
  , credits :: !Counter     -- ^ calls that may begin, less those that wait to: below 0 the ones that end look at the line
  , passed :: !(TVar Int)   -- ^ credits for the line while nobody is in it
  , line :: !(TVar (Seq.Seq (TVar Turn))) -- ^ who waits for one, in turn
  , hungry :: !Counter      -- ^ who waits for bytes
  , freed :: !(TVar Word64) -- ^ counted up for them when a call has ended: bytes may have become free
  , children :: !(TVar (Set.Set ThreadId))
  }

data Turn = Waiting | Granted | Away deriving Eq

-- | What revoking a scope waits for and wakes, in threads that are not its children too.
data Gate = Gate
  { handing :: !(TVar Int)                      -- ^ threads between the look at the scope and the end of what they hand to Go
  , inlines :: !(TVar Int)                      -- ^ inline calls, which may take as long as their handlers do
  , waiting :: !(TVar (Map.Map Unique (IO ()))) -- ^ wakes who waits for Go
  }

-- | Opens the bridge, runs the action, cancels what it began, and closes the bridge. One at a time in a process: 'Busy'.
withGo :: Config -> Schema -> (Bridge -> IO a) -> IO a
withGo c s act = fst <$> withGoReport c s act

-- | 'withGo', with what closing found.
withGoReport :: Config -> Schema -> (Bridge -> IO a) -> IO (a, Report)
withGoReport c s act = do
  -- The flags of this library could not say it; only the program that was linked can.
  unless rtsSupportsBoundThreads $
    throwIO (BridgeError NonThreadedRts (T.pack "link the program with -threaded: Go completes calls from threads of its own"))
  mask $ \restore -> do
    b <- open c s
    r <- restore (act b) `onException` close b
    report <- close b
    pure (r, report)

open :: Config -> Schema -> IO Bridge
open c s =
  B.useAsCStringLen (schemaText s) $ \(text, n) ->
  allocaBytesAligned initSize 8 $ \args ->
  allocaBytesAligned errSize 8 $ \err ->
  alloca $ \out -> do
    header args initSize
    header err errSize
    pokeByteOff args 8 (0x01020304 :: Word32)
    B.unsafeUseAsCStringLen (schemaPrint s) $ \(p, k) -> copyBytes (args `plusPtr` 16) p (min 16 k)
    pokeByteOff args 32 text
    pokeByteOff args 40 (fromIntegral n :: Word64)
    zipWithM_ (pokeByteOff args) [48, 56 ..] [maxRequest c, maxReply c, maxInFlight c, maxBytes c]
    pokeByteOff args 80 hsTryPutMVar
    rc <- brInit args err out
    when (rc /= 0) $ do
      t <- B.packCString (err `plusPtr` 16)
      throwIO (BridgeError (toStatus rc) (lenient t))
    gen <- peek out
    most <- statsField 24
    -- A finalizer in C: the runtime runs it before its memory goes, also when it ends without closing the bridge.
    alive <- newForeignPtr brMute (nullPtr `plusPtr` fromIntegral gen)
    Bridge gen c <$> newTVarIO True <*> pure [] <*> pure [] <*> pure alive <*> newCounter (fromIntegral (min most 0x3fffffff)) <*> newTVarIO 0
      <*> newTVarIO Seq.empty <*> newCounter 0 <*> newTVarIO 0 <*> newTVarIO Set.empty
  where
    initSize = 96
    errSize = 1040

-- | A struct of that size, with nothing in it.
header :: Ptr () -> Int -> IO ()
header p n = fillBytes p 0 n >> pokeByteOff p 0 (fromIntegral n :: Word32) >> pokeByteOff p 4 (1 :: Word32)

lenient :: B.ByteString -> T.Text
lenient = T.decodeUtf8With T.lenientDecode

-- Children first, then the bridge: when br_deinit runs nobody of this scope is in a call, but those that are stuck, which get
-- Closed. Not interruptible: a second exception must not leave the bridge open.
close :: Bridge -> IO Report
close b = uninterruptibleMask_ $ do
  revoke [] b
  allocaBytesAligned size 8 $ \r -> do
    header r size
    check =<< brDeinit (generation b) (drainMicros (config b) * 1000) r
    touchForeignPtr (runtime b)
    Report <$> peekByteOff r 8 <*> peekByteOff r 16 <*> peekByteOff r 24 <*> peekByteOff r 32 <*> (lenient <$> B.packCString (r `plusPtr` 48))
  where size = 560

-- | Closes a scope: new calls are refused, waiting ones are woken, children are cancelled and waited for.
revoke :: [Gate] -> Bridge -> IO ()
revoke own b = do
  atomically (writeTVar (mine b) False)
  forM_ own (readTVarIO . waiting >=> sequence_)
  atomically (forM_ own (readTVar . handing >=> \n -> when (n > 0) retry)) -- soon: nothing waits there
  kids <- readTVarIO (children b)
  -- throwTo waits until the exception is taken: from threads of their own, or one child that masks would hold up all.
  forM_ (Set.toList kids) $ \t -> forkIO (throwTo t AsyncCancelled)
  late <- registerDelay (graceMicros (config b))
  left <- atomically $ do
    k <- Set.size <$> readTVar (children b)
    n <- sum <$> mapM (readTVar . inlines) own
    stop <- readTVar late
    if k + n == 0 || stop then pure (max k n) else retry
  when (left > 0) (onStuck (config b) left)

-- | Hands something to Go, if the scope is open: one that is revoked waits until that is done.
hand :: (Gate -> TVar Int) -> Bridge -> IO a -> IO a
hand kind b act
  | null (gates b) = act
  | otherwise = bracket_ (atomically (isOpen b >> count 1)) (atomically (count (-1))) act
  where count n = forM_ (gates b) (\g -> modifyTVar' (kind g) (+ n))

-- | Waits for Go, or for the end of a scope.
await :: Bridge -> MVar () -> IO ()
await b v
  | null (gates b) = takeMVar v
  | otherwise = do
      u <- newUnique
      let change f = forM_ (gates b) (\g -> modifyTVar' (waiting g) f)
      bracket_ (atomically (isOpen b >> change (Map.insert u (void (tryPutMVar v ()))))) (atomically (change (Map.delete u))) (takeMVar v)
      atomically (isOpen b)

isOpen :: Bridge -> STM ()
isOpen b = do
  ok <- and <$> mapM readTVar (mine b : outer b)
  unless ok (throwSTM (BridgeError Closed (T.pack "its scope has ended")))

-- | A thread that is cancelled when the scope ends.
async :: Bridge -> IO a -> IO (Async a)
async b act = mask_ $ do
  checkOpen b
  A.asyncWithUnmask $ \unmask -> do
    t <- myThreadId
    atomically (isOpen b >> modifyTVar' (children b) (Set.insert t)) -- or the scope has looked already, and it does not begin
    unmask act `finally` atomically (modifyTVar' (children b) (Set.delete t))

-- | A thread that is cancelled when the inner action ends.
withAsync :: Bridge -> IO a -> (Async a -> IO b) -> IO b
withAsync b act = bracket (async b act) A.uninterruptibleCancel

-- | A scope that can be revoked as a whole, for a script: when it ends its bridge is 'Closed' for whoever still has it, and
-- its children are cancelled; so are calls and subscriptions that use it in other threads. It ends after 'graceMicros' also
-- when children swallow that.
withScope :: Bridge -> (Bridge -> IO a) -> IO a
withScope b = bracket begin (\s -> uninterruptibleMask_ (revoke (take 1 (gates s)) s))
  where
    begin = do
      atomically (isOpen b)
      m <- newTVarIO True
      kids <- newTVarIO Set.empty
      g <- Gate <$> newTVarIO 0 <*> newTVarIO 0 <*> newTVarIO Map.empty
      pure b { mine = m, outer = mine b : outer b, gates = g : gates b, children = kids }

-- | As 'isOpen', without a transaction: what was closed stays so, and whoever hands something to Go looks again ('hand').
checkOpen :: Bridge -> IO ()
checkOpen b = go (mine b : outer b)
  where go [] = pure ()
        go (t : ts) = readTVarIO t >>= \ok -> if ok then go ts else atomically (isOpen b)

-- | Room for a call: waited for in STM, first come first served; who ends a call wakes one that waits, not all. Who comes
-- when there is room, and ends when nobody waits, adds to a number. One that waits, and is cancelled, leaves its place, and what
-- it has taken of that number, to whoever ends a call and finds it 'Away'.
takeCredit :: Bridge -> Word64 -> IO ()
takeCredit b deadline = do
  checkOpen b
  n <- add (credits b) (-1)
  when (n <= 0) $ do
    turn <- atomically $ do
      k <- readTVar (passed b)
      if k > 0 then Nothing <$ (writeTVar (passed b) $! k - 1) else do
        w <- newTVar Waiting
        modifyTVar' (line b) (Seq.|> w)
        pure (Just w)
    forM_ turn $ \w -> (do
      limit <- maybe (fmap Just) timeout <$> remaining deadline
      r <- limit (atomically (isOpen b >> readTVar w >>= \s -> when (s /= Granted) retry))
      when (r == Nothing) (throwIO tooLate))
      `onException` (atomically (swapTVar w Away) >>= \s -> when (s == Granted) (giveCredit b))

giveCredit :: Bridge -> IO ()
giveCredit b = do
  n <- add (credits b) 1
  when (n < 0) $ do
    gone <- atomically $ do
      q <- readTVar (line b)
      case Seq.viewl q of
        Seq.EmptyL -> False <$ modifyTVar' (passed b) (+ 1) -- it is on its way there
        w Seq.:< rest -> writeTVar (line b) rest >> (== Away) <$> swapTVar w Granted
    when gone (giveCredit b) -- the next
  h <- add (hungry b) 0
  when (h > 0) (atomically (modifyTVar' (freed b) (+ 1)))

-- | Tries until there is room: bytes become free when a call ends, or, with casts, without notice.
withRoom :: Bridge -> Word64 -> IO Int32 -> IO ()
withRoom b deadline attempt = attempt >>= \rc -> if rc == 1 then bracket_ (add (hungry b) 1) (add (hungry b) (-1)) again else check rc
  where
    again = do
      seen <- readTVarIO (freed b)
      rc <- attempt
      if rc /= 1 then check rc else do
        most <- remaining deadline
        when (most == Just 0) (throwIO tooLate)
        tick <- registerDelay (maybe 1000 (min 1000) most)
        atomically $ do
          isOpen b
          now <- readTVar (freed b)
          t <- readTVar tick
          when (now == seen && not t) retry
        again

-- | A value's message: its length, and what writes it.
message :: Wire i => i -> (Int -> (Ptr Word8 -> IO ()) -> IO a) -> IO a
message i k = case sized i of
  TooDeep -> throwIO tooDeep
  Sized n f -> k n (void . f)

-- | Calls, and waits for the reply. Failures are 'BridgeError' and 'WireError'.
call :: (Wire i, Wire o) => Bridge -> Call i o -> i -> IO o
call b m = callUntil b m 0

-- | 'call' with a deadline in microseconds, which covers the wait for room, the way there, the handler, whose context has it
-- too, and the way back. Go keeps it; an inline call that is late has run to its end all the same. Nothing: it passed.
callTimeout :: (Wire i, Wire o) => Bridge -> Int -> Call i o -> i -> IO (Maybe o)
callTimeout b us m i
  | us <= 0 = pure Nothing
  | otherwise = do
      now <- getMonotonicTimeNSec
      r <- try (callUntil b m (now + fromIntegral (min us (maxBound `div` 1000)) * 1000) i)
      case r of
        Right o -> pure (Just o)
        Left e | errorStatus e == DeadlinePassed -> pure Nothing
               | otherwise -> throwIO e

-- | Microseconds to a deadline, 0 when it has passed; no deadline has Nothing.
remaining :: Word64 -> IO (Maybe Int)
remaining 0 = pure Nothing
remaining deadline = do
  now <- getMonotonicTimeNSec
  pure (Just (if now >= deadline then 0 else fromIntegral ((deadline - now + 999) `div` 1000)))

tooLate :: BridgeError
tooLate = BridgeError DeadlinePassed (T.pack "there was no room in time")

callUntil :: (Wire i, Wire o) => Bridge -> Call i o -> Word64 -> i -> IO o
callUntil b m deadline i
  | callInline m = message i $ \n write -> scratch (16 + n + room) $ \len -> do
      let more = len `plusPtr` 8
          request = len `plusPtr` 16
          out = request `plusPtr` n
      write request
      checkOpen b
      poke (castPtr len) (0 :: CSize)
      poke (castPtr more) nullPtr
      r <- mask_ $ do -- a slot is ended
        rc <- hand inlines b (brCallInline (generation b) (callNumber m) request (fromIntegral n) out (fromIntegral room) (castPtr len) deadline (castPtr more))
        s <- peek (castPtr more)
        k <- fromIntegral <$> peek (castPtr len :: Ptr CSize)
        if s == nullPtr then result rc out (min room k) else ended s -- what does not fit
      late <- remaining deadline
      when (late == Just 0) (throwIO (BridgeError DeadlinePassed (T.pack "the handler took longer")))
      pure r
  | otherwise = message i (slotCall b (callNumber m) deadline)
  where room = 512

-- | What a slot that is done ended with. It is freed.
ended :: Wire o => Ptr Slot -> IO o
ended s = do
  status <- peekByteOff s 56
  reply <- peekByteOff s 40
  n <- peekByteOff s 48 :: IO Word64
  result status reply (if reply == nullPtr then 0 else fromIntegral n) `finally` brSlotFree s

result :: Wire o => Int32 -> Ptr Word8 -> Int -> IO o
result 0 p n = decodeFrom p n >>= either throwIO pure
result rc p n = B.packCStringLen (castPtr p, n) >>= throwIO . BridgeError (toStatus rc) . lenient

-- SAFETY of the slot: it is ours until br_submit, Go's until br_look or the waker say so, ours again then. An exception while we
-- wait abandons it: then either it is gone for us, or it was done and we free it. The request is written, and the reply read, in
-- its memory.
-- SAFETY of the token, a StablePtr: hs_try_putmvar frees it. The library gives each token that br_slot_wake took to the waker
-- exactly once, also of a slot that was abandoned; one that it did not take we free.
slotCall :: Wire o => Bridge -> Word32 -> Word64 -> Int -> (Ptr Word8 -> IO ()) -> IO o
slotCall b method deadline n write = mask $ \restore -> do
  takeCredit b deadline
  o <- exchange restore `onException` giveCredit b
  giveCredit b
  pure o
  where
    exchange restore = do
      s <- withSlot
      let end = void (brSlotFree s)
      (do
        request <- peekByteOff s 24
        write request
        pokeByteOff s 16 deadline
        hand handing b (brSubmit s) >>= check) `onException` end
      arrival restore s `onException` (do { gone <- brAbandon s; when (gone /= 0) end })
      ended s
    -- To sleep costs more than most calls take. So others have their turn, and then we look for a moment; large messages take
    -- longer on their way.
    arrival restore s = look (1 + n `div` 8192)
      where
        look k = do
          yield
          rc <- brLook s
          case rc of
            0 -> unless (null (gates b)) (atomically (isOpen b))
            17 | k > (1 :: Int) -> look (k - 1)
               | otherwise -> sleep
            _ -> failure rc
        sleep = do
          done <- newEmptyMVar :: IO (MVar ())
          token <- newStablePtrPrimMVar done :: IO (StablePtr PrimMVar)
          (capability, _) <- threadCapability =<< myThreadId
          rc <- brSlotWake s (fromIntegral capability) (castStablePtrToPtr token)
          if rc == 0 then restore (await b done) else freeStablePtr token >> when (rc /= 17) (failure rc)
    withSlot = do
      (rc, s) <- brSlotNew (generation b) method (fromIntegral n)
      if rc /= 1 then check rc >> pure s else do
        out <- newIORef s
        withRoom b deadline (brSlotNew (generation b) method (fromIntegral n) >>= \(again, t) -> again <$ writeIORef out t)
        readIORef out

-- | Tells. It waits only for room.
cast :: Wire i => Bridge -> Cast i -> i -> IO ()
cast b (Cast method) i = do
  checkOpen b
  message i $ \n write -> scratch n $ \p -> do
    write p
    withRoom b 0 (hand handing b (brCast (generation b) method p (fromIntegral n)))

-- | Hears an event for as long as the inner action runs. Its argument gives the next event, with how many were lost before
-- it because the queue was full; it can be cancelled.
withSubscription :: Wire a => Bridge -> Event a -> Word32 -> (IO (a, Word64) -> IO b) -> IO b
withSubscription b (Event method) capacity act = do
  atomically (isOpen b)
  bracket begin (brUnsubscribe (generation b)) (act . next)
  where
    begin = alloca $ \out -> (brSubscribe (generation b) method capacity out >>= check) >> peek out
    next sub = do
      atomically (isOpen b)
      e <- alloca $ \out -> do { rc <- brEventNext (generation b) sub out; if rc == 17 then pure nullPtr else check rc >> peek out }
      if e /= nullPtr then taken e else do
        hear sub
        next sub
    taken e = (do
      p <- peekByteOff e 0 :: IO (Ptr Word8)
      n <- peekByteOff e 8 :: IO Word64
      lost <- peekByteOff e 16
      v <- result 0 p (fromIntegral n)
      pure (v, lost)) `finally` brEventFree e
    -- The token is the library's when br_event_wake is BR_OK, until br_event_unwake takes it back.
    hear sub = mask $ \restore -> do
      woken <- newEmptyMVar :: IO (MVar ())
      token <- newStablePtrPrimMVar woken :: IO (StablePtr PrimMVar)
      (capability, _) <- threadCapability =<< myThreadId
      let p = castStablePtrToPtr token
      rc <- brEventWake (generation b) sub (fromIntegral capability) p
      if rc /= 0 then freeStablePtr token >> when (rc /= 17) (failure rc)
      else restore (await b woken) `onException` (do { back <- brEventUnwake (generation b) sub p; when (back == 0) (freeStablePtr token) })

-- | Numbers of the library, of the process.
data Stats = Stats { inFlight, bytesUnderWay, slots, running, zombieHandlers, abandoned :: !Word64 } deriving (Eq, Show)

-- | The numbers now.
stats :: IO Stats
stats = Stats <$> statsField 15 <*> statsField 16 <*> statsField 21 <*> statsField 19 <*> statsField 20 <*> statsField 10

-- | The field of br_stats_t with that number.
statsField :: Int -> IO Word64
statsField i = allocaBytesAligned size 8 $ \p -> do
  header p size
  check =<< brStats p
  peekByteOff p (8 + 8 * i)
  where size = 216

-- | Gives signal handlers that were installed after 'withGo' a stack of their own: GHC's run on the stack of whatever thread
-- they hit, and a goroutine's is small. Gives how many it changed.
auditSignals :: IO Int
auditSignals = fromIntegral <$> brSignalsAudit 1
