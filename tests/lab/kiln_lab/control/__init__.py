"""The control plane: moto's EC2 with its effects made real.

moto keeps the state and speaks the protocols. The classes here derive from moto's own: they replace what moto only
pretends (an instance that runs, a snapshot that holds something) by work on the lab's machines and volumes, and flip
moto's objects when that work is done. So every answer and every filter of moto tells what is real.

Reading order: `plane`, `effects`, `latency`, `visibility`, `backend`, `instance`, `launch`, `storage`, `image`,
`responses`, `middleware`, `lab_api`.
"""
