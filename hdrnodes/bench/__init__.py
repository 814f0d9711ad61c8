"""What the stages cost on this machine, and how close that is to what the machine can do: `hdrnodes bench`.

cells.py          what is measured, one cell at a time, and what comes out: the JSON
plate.py          a made-up plate of any size, as a camera takes it
work.py           the work of a cell, in a process of its own
child.py          that process
device.py         the clock, and the memory, of a CPU or a GPU
recorded.py       which networks ran on what, for how long
counting.py       floating-point operations and bytes, from an ONNX and the sizes it ran on
convolutions.py   how long convolutions take by themselves
peaks.py          what the machine does at best, by the same library
command.py        the whole command, from its start to its end
machine.py        what the machine is
rounds.py         all cells in turn, again and again
tables.py         the results as rows, and as Markdown
"""
