"""How far a picture is from its reference. Plain functions take two arrays of linear BT.709 light in cd/m2.

base                            what a metric and a pair of pictures are
pu21, crf_correction            absolute light to values even to the eye; tones and colours fitted before measuring
fidelity, stops, vsi            PSNR, SSIM, MS-SSIM, mu-law; errors of light in stops; likeness weighted by salience
hdr_vdp_2, hdr_vdp_3            models of the observer; `visual_difference` is what they share
lpips, dists                    learnt from people's answers, on `tone_mapping`'s codes; `weights` are their networks'
color_video_vdp, flip           through their packages
catalogue, visual_catalogue     the metrics with their ids; `registry` has them all
protocols                       from two pictures in units of their own to light that can be compared
evaluate, pairing, summary      files; which belong together; a set in a few numbers; `bootstrap` says how sure
"""
