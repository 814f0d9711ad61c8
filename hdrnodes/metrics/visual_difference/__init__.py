"""What HDR-VDP-2 and HDR-VDP-3 are built of: models of the eye, each in a module of its own, float64.

    light -> optics -> receptors -> pyramid -> sensitivity, masking -> one number, in `hdr_vdp_2` and `hdr_vdp_3`

Sources: Mantiuk, Kim, Rempel, Heidrich, "HDR-VDP-2", ACM TOG 30(4), 2011; Mantiuk, Hammou, Hanji, "HDR-VDP-3",
arXiv 2304.13625, 2023. The numbers are those of the programs 2.2.2 and 3.0.7, see `README.md` here.
"""
