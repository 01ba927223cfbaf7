"""What happens together or not at all.

A batch consists of parts; a part is of one kind, and each kind has a room:
`publishing`, `finishing`, `removing`. There is the part itself, which belongs
to the process that has begun it, and the `deed` that is written down of it, in
an intent, and that others carry out if this process dies. Comes in: who has a
store, and who looks after what is left.
"""
