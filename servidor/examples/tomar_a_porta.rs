//! Tenta tomar a porta de um servidor aberto: pede `SO_REUSEADDR`, que no Windows deixa escutar onde outro já escuta, e
//! escuta nela. Com o servidor aberto, tem de ser recusado. Termina com 0 se foi recusado, e com 1 se a tomou.
//!
//! `cargo run -p servidor --example tomar_a_porta -- --porta 12346`, em outro terminal.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;

use clap::Parser;
use protocolo::PORTA_PADRAO;
use protocolo::terminal::{dizer, explicar, inteiro, ler_opcoes};
use socket2::{Domain, Socket, Type};

/// Tenta tomar a porta de um servidor aberto
#[derive(Debug, Parser)]
#[command(name = "tomar_a_porta", version)]
struct Opcoes {
    /// Porta TCP do servidor
    #[arg(long, value_name = "PORTA", default_value_t = PORTA_PADRAO, value_parser = inteiro(1..=u16::MAX))]
    porta: u16,
}

/// Escuta neste endereço, ainda que outro já escute, se o sistema deixar.
fn tomar(endereco: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(endereco), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&endereco.into())?;
    socket.listen(1)?;
    Ok(socket)
}

fn main() -> ExitCode {
    let opcoes: Opcoes = match ler_opcoes(std::env::args_os()) {
        Ok(opcoes) => opcoes,
        Err(codigo) => return codigo,
    };
    // Por qualquer um deles se desviaria quem procura o servidor.
    let enderecos: [IpAddr; 4] = [
        Ipv4Addr::UNSPECIFIED.into(),
        Ipv4Addr::LOCALHOST.into(),
        Ipv6Addr::UNSPECIFIED.into(),
        Ipv6Addr::LOCALHOST.into(),
    ];
    let mut tomadas = 0;
    for endereco in enderecos.map(|ip| SocketAddr::new(ip, opcoes.porta)) {
        match tomar(endereco) {
            Ok(_) => {
                tomadas += 1;
                dizer(format_args!("tomar_a_porta: {endereco}: tomada"));
            }
            Err(erro) => {
                dizer(format_args!("tomar_a_porta: {endereco}: recusada: {}", explicar(&erro)));
            }
        }
    }
    ExitCode::from(u8::from(tomadas > 0))
}
