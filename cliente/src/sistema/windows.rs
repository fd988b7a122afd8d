//! O Windows.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io::{self, PipeReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;

use protocolo::terminal::porta_so_deste;
use socket2::{Domain, Socket, Type};

use crate::shell::Shell;

/// Conexões completas à espera de `accept`, como a std pede.
const FILA_DE_ESPERA: i32 = 128;

/// Quem lê o comando de `--iniciar`.
pub const SHELL: Shell = Shell::Cmd;

/// Não há um limite que interesse.
pub fn aumentar_os_descritores() {}

/// Todos os pedidos: cada socket é um objeto do sistema.
pub fn descritores_livres(pedidos: usize) -> usize {
    pedidos
}

/// Não há um limite que se saiba.
pub fn memoria_limitada() -> bool {
    false
}

/// Não há o que trocar.
pub fn trocar_por(_programa: &Path, _variavel: (&str, &str)) {}

/// A pasta temporária já é só deste usuário.
pub fn so_do_usuario(opcoes: &mut DirBuilder) -> &mut DirBuilder {
    opcoes
}

/// Não se sabe quanto processador os outros gastam; qualquer número serve.
pub fn tiques_por_segundo() -> f64 {
    1.0
}

/// Não há sinais.
pub fn sinal(_nome: &str) -> Option<i32> {
    None
}

/// Escuta nesta porta, em todos os endereços, e nenhum outro programa a pode tomar.
///
/// # Errors
///
/// A porta está ocupada, ou não se pode escutar nela.
pub fn escutar(porta: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    porta_so_deste(&socket)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, porta)).into())?;
    socket.listen(FILA_DE_ESPERA)?;
    Ok(socket.into())
}

/// O console de um servidor avaliado: um cano, visto deste lado. Não se vê onde ele espera que se digite, e o que uma
/// linguagem guarda antes de escrever em um cano chega tarde.
#[derive(Debug)]
pub struct Console(PipeReader);

impl Console {
    /// O console, e a ponta do servidor.
    ///
    /// # Errors
    ///
    /// O sistema não deu um cano.
    pub fn abrir() -> io::Result<(Self, Stdio)> {
        let (leitor, escritor) = io::pipe()?;
        Ok((Console(leitor), escritor.into()))
    }

    /// Quem digita é o zelador, que tem o teclado do servidor.
    pub fn opcoes_do_zelador(entrada: Option<&str>) -> Vec<OsString> {
        entrada.into_iter().flat_map(|entrada| ["--entrada".into(), entrada.into()]).collect()
    }

    /// O zelador já digitou.
    ///
    /// # Errors
    ///
    /// Nenhum.
    pub fn digitar(&mut self, _linha: &str) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Console {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}
