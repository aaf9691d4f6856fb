-- | What cabal check says of the package in the working folder, by the library that comes with GHC.
module Main (main) where

import Distribution.PackageDescription.Check
import Distribution.PackageDescription.Configuration (flattenPackageDescription)
import Distribution.PackageDescription.Parsec
import Distribution.Verbosity

main :: IO ()
main = do
  p <- readGenericPackageDescription normal "isthmus-bridge.cabal"
  files <- checkPackageFiles normal (flattenPackageDescription p) "."
  mapM_ print (checkPackage p Nothing ++ files)
