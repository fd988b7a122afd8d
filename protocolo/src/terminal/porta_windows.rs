//! A porta de quem escuta no Windows: só dele. É aqui que está o único `unsafe` do projeto, e um teste
//! (`tests/documentos.rs`) confere que não há outro.
//!
//! No Linux não é preciso: ninguém toma a porta de quem já escuta nela.

use std::io;
use std::os::windows::io::{AsRawSocket, AsSocket};

use windows_sys::Win32::Networking::WinSock::{
    SO_EXCLUSIVEADDRUSE, SOCKET, SOL_SOCKET, setsockopt,
};

/// Nenhum outro programa pode tomar a porta que este socket tiver, nem pedindo `SO_REUSEADDR`, que no Windows deixa
/// escutar onde outro já escuta. Chama-se antes do `bind`.
///
/// # Errors
///
/// O sistema não deixou.
#[expect(
    unsafe_code,
    reason = "nem a std nem o socket2 oferecem SO_EXCLUSIVEADDRUSE, e sem ele qualquer programa toma a porta"
)]
pub fn porta_so_deste(socket: &impl AsSocket) -> io::Result<()> {
    let emprestado = socket.as_socket();
    let numero = SOCKET::try_from(emprestado.as_raw_socket()).map_err(io::Error::other)?;
    let ligado = 1_i32.to_ne_bytes();
    // SAFETY: `emprestado` é um socket aberto, e assim fica até o fim da função; o valor tem os quatro bytes que se dizem, e o
    // sistema só os lê, e só durante a chamada.
    let feito = unsafe {
        setsockopt(numero, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, ligado.as_ptr(), ligado.len() as i32)
    };
    if feito == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
