package mpi

// topology is how the processes of a communicator are neighbours.
type topology struct {
	dims    []int // of a Cartesian grid
	periods []bool
	in, out int // edges to and from this process
}

// degrees is from and to how many neighbours this process has edges; -1 without a topology.
func (c *Comm) degrees() (in, out int) {
	if c.topo == nil {
		return -1, -1
	}
	return c.topo.in, c.topo.out
}
