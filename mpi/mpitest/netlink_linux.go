package mpitest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// What follows asks the kernel for network devices, as ip(8) does: messages of rtnetlink(7).

const vethInfoPeer = 1 // VETH_INFO_PEER of linux/veth.h

// plug makes a virtual cable whose one end is in this namespace, the other in that of the file.
func plug(other int) error {
	peer := append(ifinfo(0, 0), attr(unix.IFLA_IFNAME, cstring(cable))...)
	peer = append(peer, attr(unix.IFLA_NET_NS_FD, u32(uint32(other)))...)
	info := append(attr(unix.IFLA_INFO_KIND, cstring("veth")), attr(unix.IFLA_INFO_DATA, attr(vethInfoPeer, peer))...)
	body := append(ifinfo(0, 0), attr(unix.IFLA_IFNAME, cstring(cable))...)
	return ask(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, append(body, attr(unix.IFLA_LINKINFO, info)...))
}

// address gives a device an address of a network of 256.
func address(device, ip string) error {
	d, err := net.InterfaceByName(device)
	if err != nil {
		return err
	}
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return err
	}
	body := binary.NativeEndian.AppendUint32([]byte{unix.AF_INET, 24, 0, 0}, uint32(d.Index))
	body = append(body, attr(unix.IFA_LOCAL, a.AsSlice())...)
	return ask(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, append(body, attr(unix.IFA_ADDRESS, a.AsSlice())...))
}

// lift switches a device on or off.
func lift(device string, up bool) error {
	d, err := net.InterfaceByName(device)
	if err != nil {
		return err
	}
	var flags uint32
	if up {
		flags = unix.IFF_UP
	}
	return ask(unix.RTM_NEWLINK, 0, ifinfo(d.Index, flags))
}

// carrier waits until a device says that its cable works, which the kernel tells up to a second after it does.
func carrier(device string) error {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		d, err := net.InterfaceByName(device)
		if err != nil || d.Flags&net.FlagRunning != 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s has no carrier", device)
		}
	}
}

// ifinfo is a struct ifinfomsg that changes whether a device is up.
func ifinfo(index int, flags uint32) []byte {
	b := make([]byte, 4, 64)
	for _, v := range []uint32{uint32(index), flags, unix.IFF_UP} {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return b
}

func attr(kind uint16, data []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(data)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), data...)
	return append(b, make([]byte, -len(b)&3)...)
}

func cstring(s string) []byte { return append([]byte(s), 0) }

func u32(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

// ask sends one message and waits for what the kernel says to it.
func ask(kind uint16, flags uint16, body []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("rtnetlink: %w", err)
	}
	defer unix.Close(fd)
	m := u32(uint32(unix.NLMSG_HDRLEN + len(body)))
	m = binary.NativeEndian.AppendUint16(m, kind)
	m = binary.NativeEndian.AppendUint16(m, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	m = append(append(m, make([]byte, 8)...), body...)
	if err := unix.Sendto(fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("rtnetlink: %w", err)
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return fmt.Errorf("rtnetlink: %w", err)
	}
	if n < unix.NLMSG_HDRLEN+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return errors.New("rtnetlink: no answer")
	}
	if code := int32(binary.NativeEndian.Uint32(answer[unix.NLMSG_HDRLEN:])); code != 0 {
		return fmt.Errorf("rtnetlink: message %d: %w", kind, unix.Errno(-code))
	}
	return nil
}
