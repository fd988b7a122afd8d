//! O que os dois programas têm em comum diante de quem os executa: tudo em português.
//!
//! O clap 4 não tem tradução. Aqui ele ganha um modelo de ajuda, os padrões escritos por extenso e
//! um formatador de erros ([`ErrorFormatter`]); nada disso sabe que opções existem. Os leitores de
//! valores moram aqui porque as mensagens de erro dos da std e do humantime são em inglês.

use std::ffi::OsString;
use std::fmt;
use std::fmt::Display;
use std::io::{self, ErrorKind as Falha, Write};
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, Error as Erro, ErrorFormatter, ErrorKind};
use clap::{Arg, ArgAction, Command, Parser};

/// A versão, e de que commit se compilou: só quem otimiza o diz, para que um commit não recompile tudo.
const VERSAO: &str = env!("VERSAO_COM_COMMIT");

// O que muda de um sistema para outro: como se pede a um programa que pare.
#[cfg_attr(unix, path = "terminal/sinais_unix.rs")]
#[cfg_attr(windows, path = "terminal/sinais_windows.rs")]
mod sinais;

mod planilha;
#[cfg(windows)]
mod porta_windows;
mod threads;

pub use planilha::inofensivo;
#[cfg(windows)]
pub use porta_windows::porta_so_deste;
pub use sinais::{ao_receberem_sinais, nao_morrer_de_arquivo_grande};
pub use threads::abrir_thread;

/// O código de saída de quem errou as opções.
pub const ERRO_DE_USO: u8 = 2;

/// Lê as opções de um programa. O texto de `before_help` do comando são os exemplos, que a ajuda
/// mostra primeiro.
///
/// # Errors
///
/// O código com que o programa deve sair, com tudo já dito: 0 depois da ajuda ou da versão,
/// [`ERRO_DE_USO`] depois de um erro.
pub fn ler_opcoes<O: Parser>(
    argumentos: impl IntoIterator<Item = OsString>,
) -> Result<O, ExitCode> {
    let mut comando = comando::<O>();
    comando
        .try_get_matches_from_mut(argumentos)
        .and_then(|lidas| O::from_arg_matches(&lidas))
        .map_err(|erro| {
            // Se nem o erro se consegue escrever, o código de saída ainda diz.
            if erro.use_stderr() {
                let _ = erro.format(&mut comando).apply::<EmPortugues>().print();
                ExitCode::from(ERRO_DE_USO)
            } else {
                let _ = erro.print();
                ExitCode::SUCCESS
            }
        })
}

/// O comando de um programa, em português: é dele que saem a ajuda, o manual e o que completa no shell.
pub fn comando<O: Parser>() -> Command {
    let comando = O::command().version(VERSAO);
    let nome = comando.get_name().to_owned();
    em_portugues(comando, &nome).propagate_version(true)
}

/// Escreve uma linha na saída de erro, e segue em frente se não der.
pub fn dizer(linha: impl Display) {
    // Em uma escrita só: a saída de erro não tem buffer, e outro programa pode estar escrevendo nela.
    let _ = io::stderr().write_all(format!("{linha}\n").as_bytes());
}

/// A saída de erro de quem não pode esperar por ela: um terminal parado (Ctrl-S) ou um cano que ninguém
/// lê prende quem escreve, e aqui quem escreve é uma thread só para isso.
#[derive(Debug)]
pub struct Voz {
    /// `None` se o sistema não deu a thread: então se diz como sempre.
    fala: Option<(Sender<String>, Receiver<()>)>,
}

impl Voz {
    /// Abre a voz.
    pub fn nova() -> Self {
        let (falar, falas) = mpsc::channel::<String>();
        let (acabar, acabou) = mpsc::channel();
        let escrever = move || {
            falas.iter().for_each(dizer);
            // Se ninguém mais espera, tanto faz.
            let _ = acabar.send(());
        };
        let aberta = abrir_thread("console", escrever);
        Voz { fala: aberta.ok().map(|_| (falar, acabou)) }
    }

    /// Diz uma linha, depois das que já disse, sem esperar que saia.
    pub fn dizer(&self, linha: impl Display) {
        match &self.fala {
            // A thread só termina quando a voz se cala.
            Some((falar, _)) => drop(falar.send(linha.to_string())),
            None => dizer(linha),
        }
    }

    /// Espera sair o que se disse, no máximo por `prazo`; diz se saiu.
    pub fn calar(self, prazo: Duration) -> bool {
        let Some((falar, acabou)) = self.fala else { return true };
        drop(falar);
        !matches!(acabou.recv_timeout(prazo), Err(RecvTimeoutError::Timeout))
    }
}

/// Um comando e os seus subcomandos; `nome` é como se chama, com o dos que vêm antes.
fn em_portugues(comando: Command, nome: &str) -> Command {
    let titulo = *comando.get_styles().get_header();
    let secao = |nome: &str, texto: &str| format!("\n\n{titulo}{nome}:{titulo:#}\n{texto}");
    let subcomandos: Vec<String> = comando
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set())
        .map(|sub| uso(sub, &format!("{nome} {}", sub.get_name())))
        .collect();
    let lista = if subcomandos.is_empty() { "".into() } else { secao("Comandos", "{subcommands}") };
    let codigos = match comando.get_after_help() {
        // Pelo modelo, viria depois de duas linhas em branco.
        Some(codigos) => secao("Códigos de saída", &codigos.to_string()),
        None => String::new(),
    };
    let modelo = format!(
        "{{about}}\n\n{titulo}Exemplos:{titulo:#}\n{{before-help}}\
         {titulo}Uso:{titulo:#} {{usage}}{lista}{}{codigos}",
        secao("Opções", "{options}")
    );
    let usos: Vec<String> = std::iter::once(uso(&comando, nome)).chain(subcomandos).collect();
    comando
        .display_name(nome)
        .override_usage(usos.join("\n     "))
        .help_template(StyledStr::from(modelo))
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .mut_args(escrever_padrao)
        .mut_subcommands(|sub| {
            let nome = format!("{nome} {}", sub.get_name());
            em_portugues(sub, &nome)
        })
        .arg(
            Arg::new("ajuda")
                .short('h')
                .long("ajuda")
                .alias("help")
                .action(ArgAction::Help)
                .help("Mostra esta ajuda"),
        )
        .arg(
            Arg::new("versao")
                .short('V')
                .long("versao")
                .alias("version")
                .action(ArgAction::Version)
                .help("Mostra a versão"),
        )
}

/// Como se chama um comando: as opções, e o que não é opção.
fn uso(comando: &Command, nome: &str) -> String {
    let visiveis = comando.get_positionals().filter(|argumento| !argumento.is_hide_set());
    let posicionais = visiveis.map(|argumento| format!(" {argumento}"));
    format!("{nome} [OPÇÕES]{}", posicionais.collect::<String>())
}

/// Troca o `[default: 50]` e o `[possible values: a, b]` do clap pelos nossos.
fn escrever_padrao(argumento: Arg) -> Arg {
    if !argumento.get_action().takes_values() {
        return argumento;
    }
    let mut ajuda = argumento.get_help().map(StyledStr::to_string).unwrap_or_default();
    let nomes: Vec<String> =
        argumento.get_possible_values().iter().map(|valor| valor.get_name().to_owned()).collect();
    if !nomes.is_empty() {
        ajuda += &format!(" [valores: {}]", nomes.join(", "));
    }
    if let Some(padrao) = argumento.get_default_values().first() {
        ajuda += &format!(" [padrão: {}]", padrao.display());
    }
    // Um valor como -1 é um número errado, e não uma opção desconhecida.
    argumento
        .help(ajuda)
        .hide_default_value(true)
        .hide_possible_values(true)
        .allow_negative_numbers(true)
}

/// Os erros de uso, em português.
struct EmPortugues;

impl ErrorFormatter for EmPortugues {
    fn format_error(erro: &Erro<Self>) -> StyledStr {
        let mut texto = format!("erro: {}\n", explicar_uso(erro));
        let sugestoes = [
            (ContextKind::SuggestedArg, "a opção"),
            (ContextKind::SuggestedSubcommand, "o subcomando"),
            (ContextKind::SuggestedValue, "o valor"),
        ];
        for (tipo, nome) in sugestoes {
            if let Some(sugestao) = contexto(erro, tipo) {
                // Podem ser vários, que o clap separa por vírgulas.
                let sugestoes = sugestao.replace(", ", "' ou '");
                texto += &format!("\n  dica: existe {nome} '{sugestoes}'\n");
            }
        }
        if let Some(uso) = erro.get(ContextKind::Usage) {
            let uso = uso.to_string();
            texto += &format!("\nUso: {}\n", uso.trim_start_matches("Usage:").trim());
        }
        texto += "\nPara saber mais, use '--ajuda'.\n";
        StyledStr::from(texto)
    }
}

fn explicar_uso(erro: &Erro<EmPortugues>) -> String {
    let argumento = contexto(erro, ContextKind::InvalidArg).unwrap_or_default();
    let valor = contexto(erro, ContextKind::InvalidValue).unwrap_or_default();
    match erro.kind() {
        ErrorKind::UnknownArgument => format!("argumento desconhecido: '{argumento}'"),
        ErrorKind::InvalidSubcommand => {
            let nome = contexto(erro, ContextKind::InvalidSubcommand).unwrap_or_default();
            format!("subcomando desconhecido: '{nome}'")
        }
        ErrorKind::InvalidValue if valor.is_empty() => format!("falta o valor de '{argumento}'"),
        ErrorKind::InvalidValue => {
            let validos = contexto(erro, ContextKind::ValidValue).unwrap_or_default();
            format!("valor inválido '{valor}' para '{argumento}': use um de {validos}")
        }
        ErrorKind::ValueValidation => {
            let porque = std::error::Error::source(erro).map(|causa| causa.to_string());
            let porque = porque.unwrap_or_else(|| "não se entende".into());
            format!("valor inválido '{valor}' para '{argumento}': {porque}")
        }
        ErrorKind::TooManyValues => format!("'{argumento}' não aceita o valor '{valor}'"),
        ErrorKind::ArgumentConflict => match contexto(erro, ContextKind::PriorArg) {
            // Com opções, o que se segue não é um comando, exista ele ou não.
            Some(outro) if argumento.is_empty() => {
                let solto = contexto(erro, ContextKind::InvalidSubcommand).unwrap_or_default();
                format!(
                    "não se espera '{solto}' depois de '{outro}': um comando vem antes das opções"
                )
            }
            Some(outro) if outro != argumento => {
                format!("'{argumento}' não pode ser usada com '{outro}'")
            }
            _ => format!("'{argumento}' só pode ser usada uma vez"),
        },
        ErrorKind::MissingRequiredArgument => falta(&argumento),
        ErrorKind::InvalidUtf8 => "há um argumento que não é texto UTF-8".into(),
        _ => format!("não se entende '{argumento}'"),
    }
}

/// O que faltou; de um grupo, em que um basta, o clap diz `<--um <A>|--outro <B>>`.
fn falta(argumento: &str) -> String {
    let grupo = argumento.strip_prefix('<').and_then(|resto| resto.strip_suffix('>'));
    match grupo.filter(|grupo| grupo.contains('|')) {
        Some(grupo) => format!("falta '{}'", grupo.replace('|', "' ou '")),
        None => format!("falta o argumento '{argumento}'"),
    }
}

fn contexto(erro: &Erro<EmPortugues>, tipo: ContextKind) -> Option<String> {
    match erro.get(tipo)? {
        ContextValue::None => None,
        ContextValue::Strings(textos) => Some(textos.join(", ")),
        outro => Some(outro.to_string()),
    }
}

/// Até quando, depois do primeiro sinal, outro ainda é o mesmo pedido: `timeout(1)`, por exemplo,
/// manda dois de uma vez, um ao processo e um ao grupo. Ninguém aperta Ctrl-C duas vezes tão rápido.
const MESMO_PEDIDO: Duration = Duration::from_millis(200);

/// O que fazer quando o terminal fecha, ou um `logrotate` avisa (SIGHUP).
pub enum AoDesligar {
    /// O de sempre: o programa morre na hora.
    Morrer,
    /// É um pedido de parada; menos para quem abriu o programa com `nohup`, que o ignora.
    Parar,
    /// Chamar isto, de cada vez; menos quando foi o terminal do programa que fechou, que é um pedido de parada.
    Chamar(Box<dyn FnMut() + Send>),
}

impl fmt::Debug for AoDesligar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AoDesligar::Morrer => "Morrer",
            AoDesligar::Parar => "Parar",
            AoDesligar::Chamar(_) => "Chamar",
        })
    }
}

/// Chama `parar` quando o programa recebe Ctrl-C (SIGINT) ou o `kill` comum (SIGTERM). O sinal
/// seguinte encerra o programa na hora, com o código 130, dentro do próprio tratador: vale ainda que
/// o programa esteja preso em outra coisa.
///
/// Uma thread só para isso espera o primeiro sinal; `parar` roda nela e não deve demorar. Se o programa
/// ainda estiver aqui quando o segundo sinal passa a valer, ela o diz na saída de erro.
///
/// # Errors
///
/// O sistema não deixou tratar os sinais, ou não deu a thread.
pub fn ao_pedirem_parada(
    programa: &'static str,
    parar: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    ao_receberem_sinais(programa, AoDesligar::Morrer, parar)
}

/// Um número e o nome do que se contou: `contar(1, "venda", "vendas")` é "1 venda".
pub fn contar(quantos: usize, um: &str, muitos: &str) -> String {
    format!("{quantos} {}", if quantos == 1 { um } else { muitos })
}

/// Explica um erro do sistema em português, em poucas palavras e sem ponto final.
pub fn explicar(erro: &io::Error) -> String {
    if let Some(porque) = threads::foi_uma_que_faltou(erro) {
        return porque;
    }
    let texto = match erro.kind() {
        Falha::AddrInUse => "o endereço já está em uso",
        Falha::AddrNotAvailable => "o endereço não é desta máquina",
        Falha::PermissionDenied => "sem permissão",
        Falha::ConnectionRefused => "conexão recusada",
        Falha::ConnectionReset => "o outro lado quebrou a conexão (reset)",
        Falha::ConnectionAborted => "a conexão foi abortada",
        Falha::BrokenPipe => "o outro lado já tinha fechado",
        Falha::HostUnreachable | Falha::NetworkUnreachable => "não há caminho até o endereço",
        Falha::TimedOut | Falha::WouldBlock => "o tempo esgotou",
        Falha::NotFound => "não existe",
        Falha::IsADirectory => "é um diretório",
        Falha::StorageFull => "não há espaço no disco",
        Falha::FileTooLarge => "o arquivo chegou ao tamanho máximo (veja 'ulimit -f')",
        Falha::ReadOnlyFilesystem => "o disco é só de leitura",
        Falha::OutOfMemory => "falta memória",
        _ => {
            return match erro.raw_os_error() {
                // EMFILE e ENFILE em todo Unix.
                Some(23 | 24) if cfg!(unix) => {
                    "o limite de descritores foi atingido (veja 'ulimit -n')".into()
                }
                Some(numero) => format!("erro {numero} do sistema"),
                None => "erro do sistema".into(),
            };
        }
    };
    texto.into()
}

/// O que uma opção não é. `Display` diz o que se esperava.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpcaoErrada {
    /// Um inteiro da faixa, de uma ponta à outra.
    #[error("esperava um número inteiro de {0} a {1}")]
    Inteiro(String, String),
    /// Uma duração.
    #[error("esperava uma duração, como 500ms, 30s ou 5min")]
    Duracao,
    /// Uma duração que não fosse zero.
    #[error("esperava uma duração maior que zero")]
    DuracaoPositiva,
    /// Um tamanho em bytes.
    #[error("esperava um tamanho, como 500KiB, 64MiB ou 2GiB")]
    Tamanho,
}

/// Um leitor de números inteiros dentro de `faixa`, para `value_parser`.
pub fn inteiro<N>(faixa: RangeInclusive<N>) -> impl Fn(&str) -> Result<N, OpcaoErrada> + Clone
where
    N: FromStr + Display + PartialOrd + Clone,
{
    move |texto| {
        let numero = texto.parse().ok().filter(|numero| faixa.contains(numero));
        numero
            .ok_or_else(|| OpcaoErrada::Inteiro(faixa.start().to_string(), faixa.end().to_string()))
    }
}

/// Lê uma duração do humantime (`500ms`, `30s`, `1min 30s`), para `value_parser`.
///
/// # Errors
///
/// O texto não é uma duração.
pub fn duracao(texto: &str) -> Result<Duration, OpcaoErrada> {
    // "0" sozinho o humantime aceita; qualquer outro número pede unidade.
    let texto = texto.trim();
    let lida = humantime::parse_duration(texto).ok().or_else(|| duracao_com_fracao(texto));
    lida.ok_or(OpcaoErrada::Duracao)
}

/// Uma duração como `0,5ms`, ou `0.5ms`: um número com fração, e uma unidade do humantime.
fn duracao_com_fracao(texto: &str) -> Option<Duration> {
    let (inteiro, resto) = texto.split_once([',', '.'])?;
    let (fracao, unidade) = resto.split_at(resto.find(|letra: char| !letra.is_ascii_digit())?);
    let digitos = |parte: &str| !parte.is_empty() && parte.bytes().all(|b| b.is_ascii_digit());
    if !digitos(inteiro)
        || !digitos(fracao)
        || unidade.contains(|letra: char| letra.is_ascii_digit())
    {
        return None;
    }
    let vezes: f64 = format!("{inteiro}.{fracao}").parse().ok()?;
    let unidade = humantime::parse_duration(&format!("1{unidade}")).ok()?;
    Duration::try_from_secs_f64(unidade.as_secs_f64() * vezes).ok()
}

/// A hora do relógio da máquina, dentro do que se sabe escrever: um relógio sem pilha pode dizer uma de
/// antes de 1970, e o humantime encerraria o programa.
pub fn hora_do_relogio() -> SystemTime {
    que_se_escreve(SystemTime::now())
}

fn que_se_escreve(hora: SystemTime) -> SystemTime {
    hora.clamp(UNIX_EPOCH, UNIX_EPOCH + ULTIMA_HORA)
}

/// De 1970 ao fim do ano 9999.
const ULTIMA_HORA: Duration = Duration::from_secs(253_402_300_799);

/// Como [`duracao`], mas maior que zero.
///
/// # Errors
///
/// O texto não é uma duração, ou é zero.
pub fn duracao_positiva(texto: &str) -> Result<Duration, OpcaoErrada> {
    match duracao(texto)? {
        Duration::ZERO => Err(OpcaoErrada::DuracaoPositiva),
        positiva => Ok(positiva),
    }
}

/// Lê um tamanho em bytes (`500KiB`, `64MiB`, `2GiB`), para `value_parser`. As letras podem ser
/// minúsculas, e o `iB` é dispensável.
///
/// # Errors
///
/// O texto não é um tamanho, é zero, ou não cabe em 64 bits.
pub fn tamanho(texto: &str) -> Result<u64, OpcaoErrada> {
    let texto = texto.trim().to_ascii_lowercase();
    let fim = texto.find(|letra: char| !letra.is_ascii_digit()).unwrap_or(texto.len());
    let (numero, unidade) = texto.split_at(fim);
    let potencia = match unidade.trim() {
        "k" | "kb" | "kib" => Some(10),
        "m" | "mb" | "mib" => Some(20),
        "g" | "gb" | "gib" => Some(30),
        _ => None,
    };
    let bytes = numero.parse::<u64>().ok().zip(potencia).and_then(|(numero, potencia)| {
        numero.checked_mul(1 << potencia).filter(|bytes| *bytes > 0)
    });
    bytes.ok_or(OpcaoErrada::Tamanho)
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn um_tamanho_tem_unidade_e_nao_e_zero() {
        for (texto, bytes) in
            [("1KiB", 1024), ("64MiB", 64 << 20), ("2 gib", 2 << 30), ("3m", 3 << 20)]
        {
            assert_eq!(tamanho(texto), Ok(bytes), "{texto}");
        }
        for errado in ["", "10", "0MiB", "-1MiB", "1.5GiB", "MiB", "99999999999GiB", "1TiB"] {
            assert!(tamanho(errado).is_err(), "{errado}");
        }
    }

    #[test]
    fn numeros_e_duracoes_explicam_o_que_esperavam() {
        assert_eq!(inteiro(1..=65535u16)("80"), Ok(80));
        for errado in ["0", "65536", "-1", "x", ""] {
            let erro = inteiro(1..=65535u16)(errado);
            assert_eq!(erro, Err(OpcaoErrada::Inteiro("1".into(), "65535".into())));
        }
        assert_eq!(duracao("1min 30s"), Ok(Duration::from_secs(90)));
        assert!(duracao("5").is_err() && duracao("-1s").is_err() && duracao("").is_err());
        assert!(duracao_positiva("0s").is_err());
    }

    #[test]
    fn a_virgula_e_o_ponto_sao_decimais() {
        for (texto, micros) in [("0,5ms", 500), ("0.5ms", 500), ("1,25 s", 1_250_000)] {
            assert_eq!(duracao(texto), Ok(Duration::from_micros(micros)), "{texto}");
        }
        for errada in ["0,5", ",5ms", "5,ms", "1,2,3ms", "-0,5ms", "0,5x", "1e3,5s"] {
            assert!(duracao(errada).is_err(), "{errada}");
        }
    }

    #[test]
    fn um_relogio_de_antes_de_1970_ou_de_depois_de_9999_tambem_se_escreve() {
        let ano = Duration::from_secs(365 * 86_400);
        for (hora, escrita) in [
            (UNIX_EPOCH - 10 * ano, "1970-01-01T00:00:00Z"),
            (UNIX_EPOCH + 9000 * ano, "9999-12-31T23:59:59Z"),
            (UNIX_EPOCH + ano, "1971-01-01T00:00:00Z"),
        ] {
            let texto = humantime::format_rfc3339_seconds(que_se_escreve(hora)).to_string();
            assert_eq!(texto, escrita);
        }
    }

    #[test]
    fn contar_concorda() {
        assert_eq!(contar(0, "venda", "vendas"), "0 vendas");
        assert_eq!(contar(1, "venda", "vendas"), "1 venda");
    }

    #[test]
    fn todo_erro_tem_explicacao_sem_ingles() {
        for numero in 1..134 {
            let texto = explicar(&io::Error::from_raw_os_error(numero));
            assert!(!texto.is_empty() && !texto.contains("os error"), "{numero}: {texto}");
        }
    }
}
