// Interoperation with CPython: socket.send_fds() and recv_fds().
import { startPython } from '../helpers/foreign-peer';
import { testInterop } from '../helpers/interop-table';

// recv_fds() makes its own buffer: CMSG_LEN(maxfds * sizeof(int)).
testInterop('python', startPython, (fds) => fds);
