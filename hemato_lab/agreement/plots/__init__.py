"""Figures of the methods of agreement, drawn with matplotlib, which is loaded when one is asked for.

For Research Use Only. Not for use in diagnostic procedures.
"""
