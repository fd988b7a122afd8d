//! As opções da linha de comando do servidor. Só as lê; quem as usa é `main`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use protocolo::terminal::{duracao_positiva, inteiro};
use protocolo::{ESTOQUE_PADRAO, PORTA_PADRAO};

/// Servidor de vendas com estoque compartilhado
#[derive(Debug, Parser)]
#[command(name = "servidor", version, before_help = EXEMPLOS)]
pub struct Opcoes {
    /// Endereço em que escutar; 127.0.0.1 atende só esta máquina
    #[arg(long, value_name = "ENDEREÇO", default_value = "0.0.0.0")]
    pub endereco: String,

    /// Porta TCP; com 0, o sistema escolhe uma livre
    #[arg(long, value_name = "PORTA", default_value_t = PORTA_PADRAO, value_parser = inteiro(0..=u16::MAX))]
    pub porta: u16,

    /// Unidades à venda
    #[arg(long, value_name = "UNIDADES", default_value_t = ESTOQUE_PADRAO, value_parser = inteiro(0..=u64::MAX))]
    pub estoque: u64,

    /// Conexões ao mesmo tempo [padrão: o que o limite de descritores permite]
    #[arg(long, value_name = "N", value_parser = inteiro::<usize>(1..=1_000_000))]
    pub max_conexoes: Option<usize>,

    /// Fecha quem passa este tempo sem mandar nada, como 5min [padrão: nunca]
    #[arg(long, value_name = "DURAÇÃO", value_parser = duracao_positiva)]
    pub ocioso: Option<Duration>,

    /// Não registra nada no console
    #[arg(long)]
    pub silencioso: bool,

    /// Acrescenta o registro a este arquivo, em vez de mostrá-lo no console
    #[arg(long, value_name = "ARQUIVO", conflicts_with = "silencioso")]
    pub registro: Option<PathBuf>,
}

const EXEMPLOS: &str = "  servidor                              porta 12346, 10 unidades
  servidor --estoque 1000 --porta 8000  outra porta, mais estoque
  servidor --registro vendas.log        registra em um arquivo
  nc localhost 12346                    consultar, comprar, ajuda, sair";
