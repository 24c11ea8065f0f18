"""POLICY: what a request gets; rules as functions of records, no I/O."""
