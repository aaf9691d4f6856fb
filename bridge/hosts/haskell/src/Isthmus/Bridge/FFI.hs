{-# LANGUAGE MagicHash #-}
{-# LANGUAGE UnboxedTuples #-}
{-# LANGUAGE UnliftedFFITypes #-}
-- | The functions of isthmus_bridge.h. Hidden: nothing of it is safe by itself.
--
-- SAFETY: what is imported @unsafe@ is C alone: it never blocks, never calls back and never enters Go, so that it may hold the
-- capability; br_look, which looks for some microseconds, gives the processor to others meanwhile, as the system may take it. What enters Go is @safe@: Go may run for long there, and the garbage collector must be able to run meanwhile.
module Isthmus.Bridge.FFI where

import Data.Int
import Data.Word
import Foreign
import Foreign.C.Types
import GHC.Exts
import GHC.IO (IO (..))

data Slot
data Node

foreign import ccall safe "br_init" brInit :: Ptr () -> Ptr () -> Ptr Word64 -> IO Int32
foreign import ccall safe "br_deinit" brDeinit :: Word64 -> Word64 -> Ptr () -> IO Int32
foreign import ccall safe "br_call_inline_more" brCallInline :: Word64 -> Word32 -> Ptr Word8 -> CSize -> Ptr Word8 -> CSize -> Ptr CSize -> Word64 -> Ptr (Ptr Slot) -> IO Int32
foreign import ccall unsafe "br_slot_new" slotNew :: Word64 -> Word32 -> Word64 -> MutableByteArray# RealWorld -> IO Int32
foreign import ccall unsafe "br_submit" brSubmit :: Ptr Slot -> IO Int32
foreign import ccall unsafe "br_look" brLook :: Ptr Slot -> IO Int32
foreign import ccall unsafe "br_slot_wake" brSlotWake :: Ptr Slot -> Int32 -> Ptr () -> IO Int32
foreign import ccall unsafe "br_abandon" brAbandon :: Ptr Slot -> IO Int32
foreign import ccall unsafe "br_slot_free" brSlotFree :: Ptr Slot -> IO Int32
foreign import ccall unsafe "br_cast" brCast :: Word64 -> Word32 -> Ptr Word8 -> CSize -> IO Int32
foreign import ccall unsafe "br_subscribe" brSubscribe :: Word64 -> Word32 -> Word32 -> Ptr Word64 -> IO Int32
foreign import ccall unsafe "br_unsubscribe" brUnsubscribe :: Word64 -> Word64 -> IO Int32
foreign import ccall unsafe "br_event_next" brEventNext :: Word64 -> Word64 -> Ptr (Ptr Node) -> IO Int32
foreign import ccall unsafe "br_event_free" brEventFree :: Ptr Node -> IO ()
foreign import ccall unsafe "br_event_wake" brEventWake :: Word64 -> Word64 -> Int32 -> Ptr () -> IO Int32
foreign import ccall unsafe "br_event_unwake" brEventUnwake :: Word64 -> Word64 -> Ptr () -> IO Int32
foreign import ccall unsafe "br_stats" brStats :: Ptr () -> IO Int32
foreign import ccall unsafe "br_signals_audit" brSignalsAudit :: Int32 -> IO Int32
foreign import ccall unsafe "&br_mute" brMute :: FunPtr (Ptr () -> IO ())
foreign import ccall unsafe "&hs_try_putmvar" hsTryPutMVar :: FunPtr (CInt -> Ptr () -> IO ())

-- | br_slot_new: its status, and the slot.
--
-- SAFETY: the array is not pinned: nothing is moved during an unsafe call, and C does not keep the address.
brSlotNew :: Word64 -> Word32 -> Word64 -> IO (Int32, Ptr Slot)
brSlotNew generation method n = IO (\s -> case newByteArray# 8# s of
  (# t, out #) -> case slotNew generation method n out of
    IO f -> case f t of
      (# u, rc #) -> case readAddrArray# out 0# u of (# v, slot #) -> (# v, (rc, Ptr slot) #))
{-# INLINE brSlotNew #-}

-- | So many bytes, for an action that ends. Cheaper than allocaBytes.
--
-- SAFETY: the array is pinned, and lives until touch#, which the action comes to or throws: it must not be one that GHC can
-- see never to return.
scratch :: Int -> (Ptr Word8 -> IO a) -> IO a
scratch (I# n) act = IO (\s -> case newPinnedByteArray# n s of
  (# t, a #) -> case act (Ptr (byteArrayContents# (unsafeCoerce# a))) of
    IO f -> case f t of (# u, r #) -> case touch# a u of v -> (# v, r #))
{-# INLINE scratch #-}
