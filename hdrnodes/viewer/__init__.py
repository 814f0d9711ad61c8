"""The viewer: a page in a browser on which float pixels stay float.

pictures    what is looked at: both sides, their frames, read when they are wanted
picture     one frame: its light for the display, its notes, what it has under the pointer
pyramid     a picture at 1, 1/2, 1/4 ... of its size, in tiles of half floats
web_page    the page itself, from the files in `page/`
server      serves page and tiles to this machine alone
export      writes page and tiles as one file
"""
