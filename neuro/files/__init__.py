"""Files as bytes that may be damaged or hostile: regular files only, checksums, guarded HDF5."""
