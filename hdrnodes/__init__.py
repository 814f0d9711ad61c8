"""hdrnodes: one photograph in, scene-linear high dynamic range out."""

__version__ = "0.1.0"
