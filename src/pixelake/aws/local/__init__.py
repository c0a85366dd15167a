"""The designs of AWS on this machine: real functions and real HTTP, services that are simulated."""
