-- | What generated modules say of a bridge.
module Isthmus.Bridge.Method (Schema (..), Call (..), Cast (..), Event (..), callOf, inlineCall, castOf, eventOf) where

import Data.ByteString (ByteString)
import Data.Word

-- | A schema's text and its fingerprint: 'Isthmus.Bridge.withGo' gives both to the library, which compares.
data Schema = Schema { schemaText :: !ByteString, schemaPrint :: !ByteString }

-- | A method that replies. An inline one runs on the caller's thread.
data Call i o = Call { callInline :: !Bool, callNumber :: !Word32 }

-- | A method without a reply.
newtype Cast i = Cast Word32

-- | What Go tells those who have subscribed.
newtype Event a = Event Word32

-- | The method with that number.
callOf :: Word32 -> Call i o
callOf = Call False

-- | The inline method with that number.
inlineCall :: Word32 -> Call i o
inlineCall = Call True

-- | The cast with that number.
castOf :: Word32 -> Cast i
castOf = Cast

-- | The event with that number.
eventOf :: Word32 -> Event a
eventOf = Event
