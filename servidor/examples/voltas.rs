//! Quanto demora um turno que anda por todas as conexões: o que olha os prazos e o que avisa que esgotou. Um
//! fluxo que só existe na memória, como em `instrucoes.rs`: o que se mede é o andar, e não as chamadas ao sistema.
//!
//! Não decide nada: mostra a mediana e o pior. Em uma máquina ocupada, o pior é de quem a ocupa.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use protocolo::terminal::{inteiro, ler_opcoes};
use servidor::balcao::{Balcao, Limites};
use servidor::conexao::Prontidao;
use servidor::estoque::Memoria;
use servidor::loja::Loja;
use servidor::registro::Registro;

/// Quanto demora um turno que anda por todas as conexões
#[derive(Debug, Parser)]
#[command(name = "voltas", version)]
struct Opcoes {
    /// Quantas conexões paradas
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = inteiro::<usize>(1..=100_000))]
    conexoes: usize,

    /// Quantas vezes se mede cada turno
    #[arg(long, value_name = "N", default_value_t = 101, value_parser = inteiro::<usize>(1..=10_000))]
    vezes: usize,
}

/// Um cliente que compra uma vez, quando o deixam, e leva tudo o que lhe dizem.
struct Parado {
    vai_comprar: bool,
}

impl Read for Parado {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if !std::mem::take(&mut self.vai_comprar) {
            return Err(ErrorKind::WouldBlock.into());
        }
        bytes[..8].copy_from_slice(b"COMPRAR\n");
        Ok(8)
    }
}

impl Write for Parado {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn main() -> ExitCode {
    let opcoes: Opcoes = match ler_opcoes(std::env::args_os()) {
        Ok(opcoes) => opcoes,
        Err(codigo) => return codigo,
    };
    println!("{} conexões, {} vezes", opcoes.conexoes, opcoes.vezes);
    mostrar("olhar os prazos", &opcoes, false);
    mostrar("avisar que esgotou", &opcoes, true);
    ExitCode::SUCCESS
}

fn mostrar(turno: &str, opcoes: &Opcoes, compra: bool) {
    let mut tempos: Vec<Duration> = (0..opcoes.vezes).map(|_| medir(opcoes, compra)).collect();
    tempos.sort_unstable();
    let (mediana, pior) = (tempos[tempos.len() / 2], tempos[tempos.len() - 1]);
    println!("{turno:<20} mediana {mediana:>9.1?}  pior {pior:>9.1?}");
}

/// Um turno em que o último a chegar compra a única unidade, ou em que só passou o tempo.
fn medir(opcoes: &Opcoes, compra: bool) -> Duration {
    let (mut registro, inicio) = (Registro::mudo(), Instant::now());
    let limites = Limites {
        conexoes: opcoes.conexoes,
        por_endereco: None,
        ocioso: Some(Duration::from_secs(60)),
        memoria: usize::MAX,
    };
    let mut balcao = Balcao::novo(Loja::nova(1), limites, inicio, |_| ());
    let endereco = SocketAddr::from((Ipv4Addr::LOCALHOST, 12346));
    let mut ultima = 0;
    for quantas in 1..=opcoes.conexoes {
        ultima = balcao.proxima_chave();
        let vai_comprar = compra && quantas == opcoes.conexoes;
        balcao.admitir(Parado { vai_comprar }, endereco, inicio, &mut registro);
    }
    let Ok(()) = balcao.turno(inicio, &mut registro, &mut Memoria);
    balcao.marcar(ultima, Prontidao { legivel: compra, ..Prontidao::default() });
    // O turno do aviso é antes da hora da ronda; o da ronda, depois.
    let agora = inicio + Duration::from_millis(if compra { 1 } else { 1100 });
    let antes = Instant::now();
    let Ok(()) = balcao.turno(agora, &mut registro, &mut Memoria);
    antes.elapsed()
}
