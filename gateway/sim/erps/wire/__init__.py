"""The protocols of the three faces: paths, query options, values, bodies, `$metadata`. Pure: bytes in, bytes out."""
