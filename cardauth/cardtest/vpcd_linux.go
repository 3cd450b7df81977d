package cardtest

import (
	"net"
	"syscall"
)

// acknowledgeNow makes the system acknowledge what it has received at once.
// Where it cannot, the card is slow and nothing else.
func acknowledgeNow(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	})
}
