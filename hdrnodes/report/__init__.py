"""What `hdrnodes evaluate` found, as one HTML file: pictures, plots and tables, opened without a server or a network.

report      the file, put together picture by picture, so that a set of any size fits into memory
pictures    what is shown of a comparison, encoded; then the comparison can go
*_section   the parts of the page; *_plot and tables, what is in them
html        elements, escaped
"""
