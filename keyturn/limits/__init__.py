"""Limits of a credential at the API that it is used at.

`values` and `headers` say what a limit is, how it stands and how an answer says so; they are the
server's too. Every other module counts, each for other circumstances.
"""
