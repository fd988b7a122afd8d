//! As opções da linha de comando do servidor. Só as lê; quem as usa é `main`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Parser, Subcommand};
use protocolo::PORTA_PADRAO;
use protocolo::terminal::{duracao_positiva, inteiro, tamanho};

/// Servidor de vendas com estoque compartilhado
#[derive(Debug, Parser)]
#[command(name = "servidor", before_help = EXEMPLOS, args_conflicts_with_subcommands = true)]
pub struct Programa {
    /// O que fazer em vez de vender.
    #[command(subcommand)]
    pub acao: Option<Acao>,

    /// Como vender.
    #[command(flatten)]
    pub opcoes: Opcoes,
}

/// O que o servidor faz além de vender.
#[derive(Debug, Subcommand)]
pub enum Acao {
    /// Mostra as vendas de um livro, as contas, e se elas fecham
    Extrato(OpcoesDoExtrato),
}

/// As opções do extrato.
#[derive(Debug, Parser)]
#[command(before_help = EXEMPLOS_DO_EXTRATO, group = ArgGroup::new("estoque").required(true))]
pub struct OpcoesDoExtrato {
    /// O livro; um servidor pode estar vendendo com ele
    #[arg(value_name = "LIVRO", group = "estoque")]
    pub livro: Option<PathBuf>,

    /// Em vez de um livro, o estoque partilhado deste etcd
    #[arg(long, value_name = "URL", group = "estoque")]
    pub partilhado: Option<String>,

    /// Só as contas, quando se vendeu e quem comprou mais, e se tudo fecha
    #[arg(long, conflicts_with_all = ["csv", "json"])]
    pub resumo: bool,

    /// Só as vendas, em CSV
    #[arg(long)]
    pub csv: bool,

    /// Tudo, em JSON
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
}

/// As opções de quem vende.
#[derive(Debug, Parser)]
pub struct Opcoes {
    /// Endereço em que escutar, e só nele; 127.0.0.1 atende só esta máquina [padrão: todos, por IPv4 e por IPv6]
    #[arg(long, value_name = "ENDEREÇO")]
    pub endereco: Option<String>,

    /// Porta TCP; com 0, o sistema escolhe uma livre
    #[arg(long, value_name = "PORTA", default_value_t = PORTA_PADRAO, value_parser = inteiro(0..=u16::MAX))]
    pub porta: u16,

    /// Unidades à venda; não a informe com um livro que já existe: ele tem a dele [padrão: 10]
    #[arg(long, value_name = "UNIDADES", value_parser = inteiro(0..=u64::MAX))]
    pub estoque: Option<u64>,

    /// Guarda as vendas neste arquivo, que sobrevive ao servidor; se não existe, é criado
    #[arg(long, value_name = "ARQUIVO", group = "guardado")]
    pub livro: Option<PathBuf>,

    /// Vende um estoque que outros servidores também vendem, guardado neste etcd; com vírgulas, os vários membros dele
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "livro",
        requires = "quem",
        group = "guardado"
    )]
    pub partilhado: Option<String>,

    /// Como este servidor se chama entre os que vendem o mesmo estoque; cada um tem o seu
    #[arg(long, value_name = "NOME", requires = "partilhado", group = "quem", value_parser = nome)]
    pub nome: Option<String>,

    /// Só acrescenta unidades ao estoque do livro ou ao partilhado, e termina, sem vender; um servidor pode estar vendendo com ele
    #[arg(long, value_name = "UNIDADES", requires = "guardado", group = "quem", conflicts_with = "estoque", value_parser = inteiro(1..=u64::MAX))]
    pub repor: Option<u64>,

    /// Conexões ao mesmo tempo [padrão: o que o limite de descritores permite]
    #[arg(long, value_name = "N", value_parser = inteiro::<usize>(1..=1_000_000))]
    pub max_conexoes: Option<usize>,

    /// Destas, quantas de um mesmo IPv4, ou de uma mesma rede IPv6 (/64); uma sala atrás de um roteador é um IPv4 só [padrão: quantas couberem]
    #[arg(long, value_name = "N", value_parser = inteiro::<usize>(1..=1_000_000))]
    pub max_por_endereco: Option<usize>,

    /// Fecha quem passa este tempo sem mandar nada, como 5min [padrão: nunca]
    #[arg(long, value_name = "DURAÇÃO", value_parser = duracao_positiva)]
    pub ocioso: Option<Duration>,

    /// Quanto se guarda de todos os clientes, por dizer e por atender; acima disto, fecha os que há mais tempo não leem
    #[arg(long, value_name = "TAMANHO", default_value = "256MiB", value_parser = tamanho)]
    pub memoria: u64,

    /// Mostra em http://ENDEREÇO/metrics o que conta e mede, para um Prometheus; só com a porta, atende só esta máquina
    #[arg(long, value_name = "ENDEREÇO", value_parser = onde_mostrar)]
    pub metricas: Option<SocketAddr>,

    /// Não registra nada no console
    #[arg(long)]
    pub silencioso: bool,

    /// Acrescenta o registro a este arquivo, em vez de mostrá-lo no console
    #[arg(long, value_name = "ARQUIVO", conflicts_with = "silencioso")]
    pub registro: Option<PathBuf>,

    /// O arquivo do registro não passa disto; o que não cabe se perde, e é contado
    #[arg(long, value_name = "TAMANHO", default_value = "256MiB", value_parser = tamanho)]
    pub registro_maximo: u64,
}

/// Um IP e uma porta, ou só a porta.
fn onde_mostrar(texto: &str) -> Result<SocketAddr, EnderecoErrado> {
    let so_a_porta = texto.parse().map(|porta: u16| (Ipv4Addr::LOCALHOST, porta).into());
    so_a_porta.or_else(|_| texto.parse()).map_err(|_| EnderecoErrado)
}

/// Não se sabe onde mostrar as métricas.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("esperava um IP e uma porta, como 127.0.0.1:9464, ou só a porta")]
struct EnderecoErrado;

/// O nome de um servidor: o que se escreve em uma chave e em uma coluna.
fn nome(texto: &str) -> Result<String, NomeErrado> {
    let serve = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let cabe = (1..=32).contains(&texto.len()) && texto.bytes().all(serve);
    cabe.then(|| texto.to_owned()).ok_or(NomeErrado)
}

/// O nome de um servidor não serve.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("esperava até 32 letras sem acento, algarismos, '-', '_' ou '.'")]
struct NomeErrado;

const EXEMPLOS: &str = "  servidor                              porta 12346, 10 unidades
  servidor --estoque 1000 --porta 8000  outra porta, mais estoque
  servidor --registro vendas.log        registra em um arquivo
  servidor --livro vendas.db            as vendas sobrevivem a uma queda
  servidor extrato vendas.db            o que foi vendido
  nc localhost 12346                    consultar, comprar, ajuda, sair";

const EXEMPLOS_DO_EXTRATO: &str = "  servidor extrato vendas.db                      para ler
  servidor extrato vendas.db --resumo             só as contas
  servidor extrato vendas.db --csv > vendas.csv   para uma planilha";
