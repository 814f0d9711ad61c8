"""How far a picture is from its reference. Plain functions take two arrays of linear BT.709 light in cd/m2.

base                        what a metric and a pair of pictures are
pu21, crf_correction        absolute light to values even to the eye; tones and colours fitted before measuring
fidelity, stops, vsi        PSNR, SSIM, MS-SSIM, mu-law; errors of light in stops; likeness weighted by salience
protocols                   from two pictures in units of their own to light that can be compared
bootstrap                   paired intervals of a difference between two methods
"""
