{-# OPTIONS_HADDOCK hide #-}
-- | What generated modules import, qualified: their own types may have any name.
module Isthmus.Bridge.Gen
  ( module Isthmus.Bridge.Method, module Isthmus.Bridge.Wire
  , ByteString, Text, Word8, Word16, Word32, Word64, Int8, Int16, Int32, Int64, Float, Double, Bool (..), Maybe (..), pack
  ) where

import Data.ByteString (ByteString)
import Data.ByteString.Char8 (pack)
import Data.Int
import Data.Text (Text)
import Data.Word
import Isthmus.Bridge.Method
import Isthmus.Bridge.Wire
