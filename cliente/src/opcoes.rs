//! As opções da linha de comando do cliente. Só as lê; quem as usa é [`crate::multidao::simulacao`].

pub mod carga;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Parser, Subcommand};
#[cfg(unix)]
use protocolo::terminal::tamanho;
use protocolo::terminal::{OpcaoErrada, duracao, duracao_positiva, inteiro};
use protocolo::{ESTOQUE_PADRAO, PORTA_PADRAO};
use serde::{Deserialize, Serialize};

use crate::avaliacao::formatos::Formato;
use crate::comparacao::Tolerancia;
use crate::conversa::fim_de_linha::FimDeLinha;
use crate::exigencia::Exigencia;
use crate::opcoes::carga::Carga;
use crate::shell::Shell;
use crate::sistema::SHELL;

/// Multidão de usuários simulados contra um servidor de vendas
#[derive(Debug, Clone, Parser)]
#[command(name = "cliente", before_help = exemplos(SHELL), after_help = CODIGOS)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Programa {
    /// O que fazer em vez de simular.
    #[command(subcommand)]
    pub acao: Option<Acao>,

    /// O que simular.
    #[command(flatten)]
    pub opcoes: Opcoes,
}

/// O que o cliente faz além de simular a multidão.
#[derive(Debug, Clone, Subcommand)]
pub enum Acao {
    /// Dá nota a um servidor, pelos critérios da atividade (§10)
    Avaliar(OpcoesDaAvaliacao),
    /// Observa um cliente de simulação e diz, exigência por exigência (§5, §6), o que se viu
    AvaliarCliente(OpcoesDoCliente),
    /// Dá nota a uma turma inteira: uma pasta, um arquivo ou um zip por pessoa
    #[cfg(unix)]
    Turma(OpcoesDaTurma),
    /// Dá nota a uma turma inteira (só no Linux, no macOS e no WSL)
    #[cfg(not(unix))]
    Turma {
        /// O que se pediria, que aqui não se lê
        #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
        pedido: Vec<std::ffi::OsString>,
    },
    /// Compara duas simulações, pelos JSON delas: o que mudou, e o que piorou
    Comparar(OpcoesDaComparacao),
    /// Corrige uma entrega; quem pede é a turma
    #[cfg(unix)]
    #[command(name = CORRECAO, hide = true)]
    Corrigir {
        /// O que se pede, em JSON
        ordem: String,
    },
    /// Cuida do servidor que o avaliador abriu; é ele quem o executa
    #[command(name = SUBCOMANDO, hide = true)]
    Zelar(Zelo),
}

/// As opções da simulação.
#[derive(Debug, Clone, Parser)]
pub struct Opcoes {
    /// Em laço fechado ou aberto. Vem antes das outras, porque confere quais delas se disseram.
    #[command(flatten)]
    pub carga: Carga,

    /// Servidor a testar; sem a porta, vale 12346. Vários, separados por vírgula, vendem um só estoque: os
    /// usuários se revezam entre eles (o 1 no primeiro, o 2 no segundo...), e quem cai vai ao seguinte
    #[arg(long = "servidor", value_name = "HOST:PORTA", default_value = "localhost:12346", value_delimiter = ',', value_parser = servidor)]
    pub servidores: Vec<String>,

    /// Usuários simulados
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = inteiro::<usize>(1..=1_000_000))]
    pub usuarios: usize,

    /// Ciclos de cada usuário
    #[arg(long, value_name = "FAIXA", default_value = "10..20", value_parser = faixa_de_ciclos)]
    pub ciclos: Faixa<u32>,

    /// Tempo de decisão, entre CONSULTAR e COMPRAR
    #[arg(long, value_name = "FAIXA", default_value = "500ms..3s", value_parser = faixa_de_tempo)]
    pub decisao: Faixa<Duration>,

    /// Tempo de escuta, depois de COMPRAR
    #[arg(long, value_name = "FAIXA", default_value = "5s..10s", value_parser = faixa_de_tempo)]
    pub escuta: Faixa<Duration>,

    /// Divide todas as esperas por este número
    #[arg(long, value_name = "VEZES", default_value_t = 1.0, value_parser = aceleracao)]
    pub acelerar: f64,

    /// Abre uma conexão nova a cada ciclo
    #[arg(long)]
    pub reconectar: bool,

    /// Numera as compras (PEDIDO id): quem cai sem resposta volta e pergunta de novo, até saber se comprou. O servidor
    /// tem de aceitar PEDIDO
    #[arg(long)]
    pub pedidos: bool,

    /// Semente dos sorteios: repete as mesmas decisões [padrão: ao acaso]
    #[arg(long, value_name = "N", value_parser = inteiro(0..=u64::MAX))]
    pub semente: Option<u64>,

    /// Teto de threads, e de usuários ao mesmo tempo [padrão: uma por usuário]
    #[arg(long, value_name = "T", value_parser = inteiro::<usize>(1..=1_000_000))]
    pub threads: Option<usize>,

    /// Quanto esperar por um servidor que ainda está abrindo
    #[arg(long, value_name = "DURAÇÃO", default_value = "10s", value_parser = duracao)]
    pub espera: Duration,

    /// O que mandar depois de cada comando [padrão: o que o servidor entender]
    #[arg(long, value_name = "FIM", value_enum, ignore_case = true)]
    pub fim_de_linha: Option<FimDeLinha>,

    /// Mostra cada troca de mensagens
    #[arg(long)]
    pub detalhado: bool,

    /// Com quanto o servidor abriu, se só esta multidão compra: aí nenhuma unidade pode faltar
    #[arg(long, value_name = "UNIDADES", value_parser = inteiro(0..=u64::MAX))]
    pub estoque: Option<u64>,

    /// O extrato do livro do servidor ('servidor extrato LIVRO --json'), se o estoque foi reposto: com ele, subir não é
    /// erro. Lido no fim: peça-o depois da última reposição
    #[arg(long, value_name = "ARQUIVO")]
    pub reposicoes: Option<PathBuf>,

    /// Uma exigência, como 'p99(comprar)<50ms' ou 'falhas=0'; pode repetir. Há pN e max de comprar e de
    /// consultar, duracao, espalhamento, vazao, ciclos, consultas, vendas, recusas, avisos, falhas e desconhecidas
    #[arg(long, value_name = "EXIGÊNCIA", value_parser = Exigencia::ler)]
    pub exigir: Vec<Exigencia>,

    /// Escreve um relatório para pessoas, em uma página HTML
    #[arg(long, value_name = "ARQUIVO")]
    pub relatorio: Option<PathBuf>,

    /// Escreve o mesmo relatório para programas, em JSON
    #[arg(long, value_name = "ARQUIVO")]
    pub json: Option<PathBuf>,

    /// Escreve a história, uma operação por linha, enquanto acontece
    #[arg(long, value_name = "ARQUIVO")]
    pub csv: Option<PathBuf>,
}

/// As opções da avaliação.
#[derive(Debug, Clone, Default, Parser)]
#[command(before_help = exemplos_da_avaliacao(SHELL), group = ArgGroup::new("alvo").required(true))]
pub struct OpcoesDaAvaliacao {
    /// Avalia um servidor que já está no ar: uma rodada só, que gasta o estoque dele
    #[arg(long, value_name = "HOST:PORTA", value_parser = servidor, conflicts_with_all = ["iniciar", "porta", "rodadas"], group = "alvo")]
    pub servidor: Option<String>,

    /// O arquivo do servidor não se dá assim: o erro diz como.
    #[arg(hide = true, value_name = "SERVIDOR", value_parser = sem_iniciar)]
    pub solto: Option<String>,

    /// De quem é o servidor: aparece no laudo
    #[arg(long, value_name = "NOME", value_parser = nome)]
    pub nome: Option<String>,

    /// Comando que abre o servidor; cada prova tem um recém-aberto
    #[arg(long, value_name = "COMANDO", group = "alvo", value_parser = comando)]
    pub iniciar: Option<String>,

    /// O que digitar no console do servidor assim que ele começa; '\n' começa outra linha
    #[arg(long, value_name = "TEXTO", requires = "iniciar", value_parser = entrada)]
    pub entrada: Option<String>,

    /// Como se avalia.
    #[command(flatten)]
    pub medida: Medida,

    /// Quanto vale cada item, em um TOML [padrão: os pesos do §10]
    #[arg(long, value_name = "ARQUIVO")]
    pub pesos: Option<PathBuf>,

    /// Escreve o laudo para pessoas, em uma página HTML
    #[arg(long, value_name = "ARQUIVO")]
    pub relatorio: Option<PathBuf>,

    /// Escreve o mesmo laudo para programas, em JSON
    #[arg(long, value_name = "ARQUIVO")]
    pub json: Option<PathBuf>,

    /// Na saída, em vez do texto, o que outro programa lê
    #[arg(long, value_name = "FORMATO", value_enum, ignore_case = true)]
    pub formato: Option<Formato>,
}

/// As opções da comparação.
#[derive(Debug, Clone, Parser)]
#[command(before_help = EXEMPLOS_DA_COMPARACAO, after_help = CODIGOS_DA_COMPARACAO)]
pub struct OpcoesDaComparacao {
    /// O JSON da primeira, a referência
    #[arg(value_name = "A.json")]
    pub antes: PathBuf,

    /// O JSON da segunda, a que se confere
    #[arg(value_name = "B.json")]
    pub depois: PathBuf,

    /// Quanto a segunda pode ser pior em cada número
    #[arg(long, value_name = "PORCENTAGEM", default_value = "10%", value_parser = Tolerancia::ler)]
    pub tolerancia: Tolerancia,

    /// Escreve a comparação em uma página HTML, com os números das duas desenhados
    #[arg(long, value_name = "ARQUIVO")]
    pub relatorio: Option<PathBuf>,
}

/// Como se avalia um servidor: o mesmo para um só e para uma turma.
#[derive(Debug, Clone, Default, PartialEq, Eq, Parser, Serialize, Deserialize)]
pub struct Medida {
    /// Porta em que o servidor deve escutar
    #[arg(long, value_name = "PORTA", default_value_t = PORTA_PADRAO, value_parser = inteiro(1..=u16::MAX))]
    pub porta: u16,

    /// Rodadas de disputa, cada uma com um servidor recém-aberto
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = inteiro::<u32>(1..=1000))]
    pub rodadas: u32,

    /// Compradores em cada disputa
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = inteiro::<usize>(2..=1000))]
    pub compradores: usize,

    /// Com quanto o servidor abre
    #[arg(long, value_name = "UNIDADES", default_value_t = ESTOQUE_PADRAO, value_parser = inteiro::<u64>(1..=1000))]
    pub estoque: u64,

    /// Quanto esperar o servidor abrir
    #[arg(long, value_name = "DURAÇÃO", default_value = "10s", value_parser = duracao_positiva)]
    pub espera: Duration,
}

/// As opções da observação de um cliente.
#[derive(Debug, Clone, Parser)]
#[command(before_help = exemplo_do_cliente(SHELL))]
pub struct OpcoesDoCliente {
    /// Comando que abre o cliente
    #[arg(long, value_name = "COMANDO", value_parser = comando)]
    pub iniciar: String,

    /// De quem é o cliente: aparece no laudo
    #[arg(long, value_name = "NOME", value_parser = nome)]
    pub nome: Option<String>,

    /// O que digitar no console do cliente assim que ele começa; '\n' começa outra linha
    #[arg(long, value_name = "TEXTO", value_parser = entrada)]
    pub entrada: Option<String>,

    /// Porta em que se espera o cliente
    #[arg(long, value_name = "PORTA", default_value_t = PORTA_PADRAO, value_parser = inteiro(1..=u16::MAX))]
    pub porta: u16,

    /// Outra porta em que também se espera: a do servidor da mesma entrega
    #[arg(skip)]
    pub outra_porta: Option<u16>,

    /// Quanto esperar, em cada cena, que o cliente termine
    #[arg(long, value_name = "DURAÇÃO", default_value = "6m", value_parser = duracao_positiva)]
    pub tempo_maximo: Duration,

    /// Multiplica os tempos do enunciado, para um cliente que os encurtou todos por igual
    #[arg(long, value_name = "VEZES", default_value_t = 1.0, value_parser = aceleracao)]
    pub escala: f64,

    /// Escreve o laudo para pessoas, em uma página HTML
    #[arg(long, value_name = "ARQUIVO")]
    pub relatorio: Option<PathBuf>,

    /// Escreve o mesmo laudo para programas, em JSON
    #[arg(long, value_name = "ARQUIVO")]
    pub json: Option<PathBuf>,
}

fn exemplo_do_cliente(shell: Shell) -> String {
    let python = shell.python();
    format!(
        "  cliente avaliar-cliente --iniciar \"{python} cliente.py\"  em tempo real (alguns minutos)"
    )
}

/// As opções da turma.
#[cfg(unix)]
#[derive(Debug, Clone, Parser)]
#[command(before_help = EXEMPLOS_DA_TURMA)]
pub struct OpcoesDaTurma {
    /// A pasta das entregas, como o Moodle a dá
    #[arg(value_name = "PASTA")]
    pub pasta: PathBuf,

    /// Onde escrever as notas e as páginas [padrão: PASTA-notas]
    #[arg(long, value_name = "PASTA")]
    pub saida: Option<PathBuf>,

    /// Comando que abre todos os servidores, como 'python3 {arquivo}'; {porta} é a porta [padrão: adivinha]
    #[arg(long, value_name = "COMANDO")]
    pub iniciar: Option<String>,

    /// A planilha de notas do Moodle: escreve outra, preenchida, e a pasta de comentários que ele importa
    #[arg(long, value_name = "ARQUIVO")]
    pub moodle: Option<PathBuf>,

    /// Quanto vale cada item, em um TOML [padrão: os pesos do §10]
    #[arg(long, value_name = "ARQUIVO")]
    pub pesos: Option<PathBuf>,

    /// Quantas entregas avaliar ao mesmo tempo [padrão: duas por núcleo, até 16]
    #[arg(long, value_name = "N", value_parser = inteiro::<usize>(1..=64))]
    pub ao_mesmo_tempo: Option<usize>,

    /// Observa também os clientes, em tempo real: alguns minutos por entrega, muitas ao mesmo tempo
    #[arg(long)]
    pub clientes: bool,

    /// Avalia de novo também o que não mudou
    #[arg(long)]
    pub de_novo: bool,

    /// Executa os programas sem isolá-los, um de cada vez, com os seus direitos
    #[arg(long)]
    pub sem_isolamento: bool,

    /// Como se avalia.
    #[command(flatten)]
    pub medida: Medida,

    /// Quanto uma entrega pode levar, inteira
    #[arg(long, value_name = "DURAÇÃO", default_value = "15m", value_parser = duracao_positiva)]
    pub tempo_maximo: Duration,

    /// Quanta memória uma entrega pode ter
    #[arg(long, value_name = "TAMANHO", default_value = "1GiB", value_parser = tamanho)]
    pub memoria: u64,
}

/// Como se chama o subcomando que corrige uma entrega.
#[cfg(unix)]
pub const CORRECAO: &str = "corrigir";

/// Como se chama o subcomando, para quem o executa.
pub const SUBCOMANDO: &str = "zelar";

/// As opções do zelador; quem as dá é a o avaliador.
#[derive(Debug, Clone, Parser)]
pub struct Zelo {
    /// Onde pôr o que apressa as trocas de thread do Python, se é para apressá-las
    #[arg(long)]
    pub trocas: Option<std::path::PathBuf>,
    /// O que digitar no console dele, onde é o zelador quem o tem
    #[arg(long)]
    pub entrada: Option<String>,
    /// O comando que abre o servidor
    pub comando: String,
}

/// Um intervalo, pontas incluídas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Faixa<T> {
    /// A menor ponta.
    pub de: T,
    /// A maior ponta.
    pub ate: T,
}

impl Opcoes {
    /// Os servidores, como se pedem.
    pub fn servidor(&self) -> String {
        self.servidores.join(",")
    }
}

const SIMULACOES: &str = "  cliente --usuarios 200                 em tempo real (alguns minutos)
  cliente --usuarios 200 --acelerar 100  a mesma multidão, em segundos
  cliente --semente 42 --detalhado       decisões que se repetem, tudo à vista
  cliente --fim-de-linha nenhum          sem descobrir o que o servidor entende
  cliente --taxa 500/s --durante 10s     pedidos com hora marcada, demore o servidor o que demorar
  cliente --relatorio multidao.html      o que aconteceu, em uma página com gráficos
  cliente --servidor a,b,c               três servidores que vendem um só estoque";

/// O Python não se chama do mesmo jeito em todo sistema.
fn exemplos(shell: Shell) -> String {
    let python = shell.python();
    format!(
        "{SIMULACOES}\n  cliente avaliar --iniciar \"{python} servidor.py\"   dá nota a um servidor"
    )
}

/// Se mais de um vale, quem decide é o `main`: 2, 3, 130, 1, 5 e 4, nesta ordem.
const CODIGOS: &str = "  0    tudo certo
  1    não pôde simular ou escrever, ou não houve o que julgar das vendas
  2    opções erradas
  3    o estoque está inconsistente
  4    uma exigência não se cumpriu
  5    do estoque, nada de errado; do AVISO (um extra), sim
  130  interrompida";

const EXEMPLOS_DA_COMPARACAO: &str =
    "  cliente comparar antes.json depois.json                  o que mudou, com 10% de tolerância
  cliente comparar a.json b.json --tolerancia 25% --relatorio ab.html";

const CODIGOS_DA_COMPARACAO: &str = "  0    nada piorou além da tolerância
  1    não pôde ler um dos arquivos, ou escrever a página
  2    opções erradas
  4    alguma linha piorou além da tolerância";

fn exemplos_da_avaliacao(shell: Shell) -> String {
    let iniciar = format!("--iniciar \"{} servidor.py\"", shell.python());
    format!(
        "  cliente avaliar {iniciar:<31}  abre o servidor para cada prova
  cliente avaliar {:<31}  um que já está no ar",
        "--servidor localhost:12346"
    )
}

#[cfg(unix)]
const EXEMPLOS_DA_TURMA: &str =
    "  cliente turma entregas                      nota a cada entrega da pasta
  cliente turma entregas --moodle notas.csv   e a planilha do Moodle preenchida
  cliente turma entregas --iniciar 'python3 {arquivo}'   todos em Python, sem adivinhar";

/// O que um console de verdade aceita de uma vez, com folga.
const ENTRADA_MAXIMA: usize = 1000;

fn entrada(texto: &str) -> Result<String, String> {
    if texto.len() > ENTRADA_MAXIMA {
        return Err(format!("esperava no máximo {ENTRADA_MAXIMA} letras"));
    }
    Ok(texto.replace("\\n", "\n"))
}

fn comando(texto: &str) -> Result<String, String> {
    if texto.trim().is_empty() {
        return Err("esperava o comando, como se digita em um terminal".into());
    }
    SHELL.aspas_erradas(texto).map_or_else(|| Ok(texto.to_owned()), |erradas| Err(erradas.into()))
}

fn nome(texto: &str) -> Result<String, String> {
    let nome = texto.trim();
    if nome.is_empty() || nome.chars().any(char::is_control) {
        return Err("esperava um nome, em uma linha".into());
    }
    Ok(nome.to_owned())
}

/// Quem dá só o arquivo, ou só o endereço, do servidor quer o que a opção faz.
fn sem_iniciar(texto: &str) -> Result<String, String> {
    let (arquivo, python) = (SHELL.citar(texto), SHELL.python());
    let comando = match texto.rsplit_once('.').map(|(_, extensao)| extensao) {
        Some("py") => format!("{python} {arquivo}"),
        Some("js" | "mjs" | "cjs") => format!("node {arquivo}"),
        Some("java") => format!("java {arquivo}"),
        Some("jar") => format!("java -jar {arquivo}"),
        Some("go") => format!("go run {arquivo}"),
        Some("rb") => format!("ruby {arquivo}"),
        Some("php") => format!("php {arquivo}"),
        Some("sh") => format!("sh {arquivo}"),
        _ if servidor(texto).is_ok() && texto.contains(':') => {
            return Err(format!("para avaliar um que já está no ar, use --servidor {texto}"));
        }
        _ => "COMANDO".into(),
    };
    Err(format!("diga como abri-lo, com --iniciar {}", SHELL.citar(&comando)))
}

fn servidor(texto: &str) -> Result<String, String> {
    let ipv6_cru = !texto.starts_with('[') && texto.matches(':').count() > 1;
    if ipv6_cru {
        return Err("um endereço IPv6 vai entre colchetes, como [::1] ou [::1]:12346".into());
    }
    let tem_porta = !texto.ends_with(']') && texto.contains(':');
    let completo = if tem_porta { texto.to_owned() } else { format!("{texto}:{PORTA_PADRAO}") };
    match completo.rsplit_once(':') {
        Some((host, porta)) if !host.is_empty() && porta.parse::<u16>().is_ok() => Ok(completo),
        _ => Err(format!("esperava HOST ou HOST:PORTA, como localhost:{PORTA_PADRAO}")),
    }
}

fn aceleracao(texto: &str) -> Result<f64, String> {
    let vezes = texto.replace(',', ".").parse().ok();
    vezes
        .filter(|vezes| (0.001..=1_000_000.0).contains(vezes))
        .ok_or_else(|| "esperava um número de 0,001 a 1000000".into())
}

fn faixa_de_ciclos(texto: &str) -> Result<Faixa<u32>, String> {
    faixa(texto, inteiro(1..=1_000_000)).map_err(|erro| format!("{erro}; uma faixa é como 10..20"))
}

fn faixa_de_tempo(texto: &str) -> Result<Faixa<Duration>, String> {
    faixa(texto, duracao).map_err(|erro| format!("{erro}; uma faixa é como 500ms..3s"))
}

/// Lê `de..ate`, pontas incluídas, ou um valor só, que é fixo.
fn faixa<T: PartialOrd + Copy>(
    texto: &str,
    ponta: impl Fn(&str) -> Result<T, OpcaoErrada>,
) -> Result<Faixa<T>, String> {
    let (de, ate) = texto.split_once("..").unwrap_or((texto, texto));
    let ler = |texto: &str| ponta(texto.trim()).map_err(|erro| erro.to_string());
    let faixa = Faixa { de: ler(de)?, ate: ler(ate)? };
    if faixa.de > faixa.ate {
        return Err(format!("o começo ({}) passa do fim ({})", de.trim(), ate.trim()));
    }
    Ok(faixa)
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn faixas_tem_pontas_inclusas_e_um_valor_e_fixo() {
        assert_eq!(faixa_de_ciclos("10..20"), Ok(Faixa { de: 10, ate: 20 }));
        assert_eq!(faixa_de_ciclos("3"), Ok(Faixa { de: 3, ate: 3 }));
        let ms = Duration::from_millis;
        assert_eq!(faixa_de_tempo("500ms..3s"), Ok(Faixa { de: ms(500), ate: ms(3000) }));
        for errada in ["20..10", "0..3", "..", "10..", "a..b", "1...3"] {
            assert!(faixa_de_ciclos(errada).is_err(), "{errada}");
        }
    }

    #[test]
    fn o_servidor_pode_vir_sem_porta() {
        assert_eq!(servidor("localhost"), Ok("localhost:12346".into()));
        assert_eq!(servidor("10.0.0.1:80"), Ok("10.0.0.1:80".into()));
        assert_eq!(servidor("[::1]"), Ok("[::1]:12346".into()));
        assert_eq!(servidor("[::1]:80"), Ok("[::1]:80".into()));
        for errado in ["", ":80", "host:", "host:99999", "host:porta", "::1"] {
            assert!(servidor(errado).is_err(), "{errado}");
        }
    }

    #[test]
    fn varios_servidores_se_separam_por_virgula() {
        let servidores = |linha: &[&str]| {
            Opcoes::try_parse_from(linha).map(|opcoes| opcoes.servidores).map_err(|_| ())
        };
        assert_eq!(servidores(&["cliente"]), Ok(vec!["localhost:12346".into()]));
        let tres = ["a:12346".into(), "b:80".into(), "[::1]:12346".into()].to_vec();
        assert_eq!(servidores(&["cliente", "--servidor", "a,b:80,[::1]"]), Ok(tres));
        for errado in ["a,", ",a", "a,,b", "a,b:porta"] {
            assert_eq!(servidores(&["cliente", "--servidor", errado]), Err(()), "{errado}");
        }
    }

    #[test]
    fn os_exemplos_chamam_o_python_como_o_sistema() {
        for exemplo in [exemplos, exemplos_da_avaliacao, exemplo_do_cliente] {
            assert!(exemplo(Shell::Sh).contains("--iniciar \"python3 "), "{}", exemplo(Shell::Sh));
            let no_windows = exemplo(Shell::Cmd);
            assert!(no_windows.contains("--iniciar \"py "), "{no_windows}");
            assert!(!no_windows.contains("python"), "{no_windows}");
        }
    }

    #[test]
    fn a_aceleracao_e_positiva_e_aceita_virgula() {
        assert_eq!(aceleracao("0,5"), Ok(0.5));
        for errada in ["0", "-1", "NaN", "inf", "x"] {
            assert!(aceleracao(errada).is_err(), "{errada}");
        }
    }
}
