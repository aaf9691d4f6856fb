-- | The wire in Haskell: a decoder that is total, strict and bounded, and an encoder.
--
-- Whatever the bytes are, 'decode' gives a value or a 'WireError'. A count is compared, unsigned, with the bytes that are
-- left before it becomes an 'Int' and before anything is allocated. For types without extensible structs and open sums the
-- bytes are those that the package @store@ writes; its decoders are not used, because they are neither total nor safe.
module Isthmus.Bridge.Wire
  ( Wire (..), WireError (..), encode, decode
  , Put, Get, putNothing, putTag, putPart, putNested, getTag, getPart, getNested, getMissing, failAtTag
  ) where

import Isthmus.Bridge.Codec
