"""What OCIO's config ($OCIO, or the built-in one) says of the names of colour spaces."""

from __future__ import annotations

from functools import cache


@cache  # the answers, not the ColorConfig: nanobind reports, at exit, what outlives its module
def ocio_names(colorspace: str) -> tuple[str, ...]:
    """A colour space's own name in OCIO's config ($OCIO, or the built-in one), and its aliases."""
    from OpenImageIO import ColorConfig  # 0.1 s, and only for colour spaces that are not ours

    config = ColorConfig()
    name = config.resolve(colorspace)
    return (name, *config.getAliases(name))


@cache
def is_linear_space(colorspace: str) -> bool:
    """Whether a colour space is linear."""
    from OpenImageIO import ColorConfig

    config, names = ColorConfig(), ocio_names(colorspace)
    if hasattr(config, "isColorSpaceLinear"):
        return bool(config.isColorSpaceLinear(names[0]))
    # OpenImageIO 3.0, which goes with numpy 1.26, cannot say; the Color Interop Forum's aliases do.
    return any(name.startswith("lin_") for name in names)
