{-# LANGUAGE MagicHash #-}
{-# LANGUAGE UnboxedTuples #-}
-- | A number that threads add to, without a lock, a box or a transaction.
module Isthmus.Bridge.Counter (Counter, newCounter, add) where

import GHC.Exts
import GHC.IO (IO (..))

-- | The number.
data Counter = Counter (MutableByteArray# RealWorld)

-- | One that begins there.
newCounter :: Int -> IO Counter
newCounter (I# n) = IO (\s -> case newByteArray# 8# s of (# t, a #) -> (# writeIntArray# a 0# n t, Counter a #))

-- | Adds, and gives what it was before. A full barrier.
--
-- SAFETY: the array has the one element that is used.
add :: Counter -> Int -> IO Int
add (Counter a) (I# n) = IO (\s -> case fetchAddIntArray# a 0# n s of (# t, was #) -> (# t, I# was #))
