//! O turno sem rede, para contar as instruções dele: um roteiro fixo de COMPRAR passa pelo balcão de
//! verdade, sobre um fluxo que só existe na memória e um relógio que só anda quando mandam. O tempo varia
//! com a máquina e com a hora; as instruções, não: `tests/instrucoes.rs` roda isto sob o callgrind.
//!
//! Não mede nada sozinho, e não passa pelo reator: o que o epoll e os sockets custam fica de fora.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use protocolo::terminal::{inteiro, ler_opcoes};
use servidor::balcao::{Balcao, Limites};
use servidor::conexao::Prontidao;
use servidor::estoque::Memoria;
use servidor::loja::Loja;
use servidor::registro::{Destino, Registro};

/// Mais do que qualquer roteiro vende, e um número de um tamanho comum.
const ESTOQUE: u64 = 100_000_000;

/// Um roteiro fixo pelo balcão, sem rede
#[derive(Debug, Parser)]
#[command(name = "instrucoes", version)]
struct Opcoes {
    /// Quantas conexões
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = inteiro::<usize>(1..=10_000))]
    conexoes: usize,

    /// Quantos COMPRAR cada uma manda por turno
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = inteiro::<usize>(1..=500))]
    em_voo: usize,

    /// Quantos turnos; com 0, só abre as conexões
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = inteiro::<u32>(0..=1_000_000))]
    turnos: u32,

    /// Escreve o registro neste arquivo; sem isto, cala-se
    #[arg(long, value_name = "ARQUIVO")]
    registro: Option<PathBuf>,
}

/// Cada leitura traz os mesmos pedidos, e é curta: o balcão só volta a ler se alguém marcar.
struct Fita {
    pedidos: Vec<u8>,
}

impl Read for Fita {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        bytes[..self.pedidos.len()].copy_from_slice(&self.pedidos);
        Ok(self.pedidos.len())
    }
}

impl Write for Fita {
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
    let vendas = match rodar(&opcoes) {
        Ok(vendas) => vendas,
        Err(erro) => {
            eprintln!("instrucoes: {erro}");
            return ExitCode::FAILURE;
        }
    };
    println!("vendas: {vendas}");
    ExitCode::SUCCESS
}

fn rodar(opcoes: &Opcoes) -> io::Result<u64> {
    let mut registro = match &opcoes.registro {
        Some(caminho) => Registro::novo(Destino::arquivo(caminho, u64::MAX)?)?,
        None => Registro::mudo(),
    };
    let inicio = Instant::now();
    let limites = Limites {
        conexoes: opcoes.conexoes,
        por_endereco: None,
        ocioso: None,
        memoria: usize::MAX,
    };
    let mut balcao = Balcao::novo(Loja::nova(ESTOQUE), limites, inicio, |_| ());
    let endereco = SocketAddr::from((Ipv4Addr::LOCALHOST, 12346));
    let mut chaves = Vec::new();
    for _ in 0..opcoes.conexoes {
        chaves.push(balcao.proxima_chave());
        let pedidos = b"COMPRAR\n".repeat(opcoes.em_voo);
        balcao.admitir(Fita { pedidos }, endereco, inicio, &mut registro);
    }
    let novidade = Prontidao { legivel: true, ..Prontidao::default() };
    for turno in 0..opcoes.turnos {
        // Um turno por milissegundo: a ronda dos prazos entra na conta, na proporção em que acontece.
        let agora = inicio + Duration::from_millis(turno.into());
        for chave in &chaves {
            balcao.marcar(*chave, novidade);
        }
        let Ok(()) = balcao.turno(agora, &mut registro, &mut Memoria);
        registro.entregar();
    }
    registro.fechar(Duration::from_secs(60));
    Ok(balcao.loja().vendas())
}
