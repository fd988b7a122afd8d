//! A correção de uma entrega, de onde ela se executa: dentro da cela, ou sem isolamento. Prepara o programa, avalia o
//! servidor e escreve o que concluiu. É este mesmo programa, com um subcomando que a ajuda não mostra; o que se pede vem
//! em um argumento só, e o que se conclui vai a três arquivos, que o programa do aluno não alcança.
//!
//! O andamento vai à saída padrão, uma linha por prova.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use indicatif::ProgressBar;
use protocolo::mensagem::visivel;
use protocolo::terminal::explicar;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::cela::{self, Limites};
use super::receita::EXECUTAVEL;
use super::resultado::{Avaliada, ClienteVisto, Desfecho, ExigenciaLida, ExtraLido, ItemLido};
use super::vigia::vigiar;
use crate::avaliacao::boletim::Boletim;
use crate::avaliacao::erro::Erro as SemAvaliacao;
use crate::avaliacao::modulo::{self, pode_ser_da_maquina};
use crate::avaliacao::pesos::Pesos;
use crate::avaliacao::vez::Vez;
use crate::avaliacao::{Pedido, avaliar};
use crate::observacao::regras::Exigencia;
use crate::observacao::{Erro as SemObservacao, observar};
use crate::opcoes::{Medida, OpcoesDaAvaliacao, OpcoesDoCliente};

/// O que a correção concluiu, para o programa que a pediu.
pub const DESFECHO: &str = "desfecho.json";
/// O laudo para programas.
pub const LAUDO_JSON: &str = "laudo.json";
/// O laudo para pessoas.
pub const LAUDO_HTML: &str = "laudo.html";

/// O que se viu do cliente, quando é ele que se observa.
pub const CLIENTE: &str = "cliente.json";

/// Quanto a compilação pode levar.
const TEMPO_DE_PREPARAR: Duration = Duration::from_secs(180);

/// Quanto a ordem pode ter: o sistema não passa a um programa um argumento de 128 KiB.
const ORDEM_MAXIMA: usize = 120 * 1024;

const ENTRE_OLHADAS: Duration = Duration::from_millis(50);

/// Quanto se guarda do que o compilador disse.
const DITO_MAXIMO: usize = 2000;

/// O que se pede à correção.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ordem {
    /// De quem é a entrega.
    pub nome: String,
    /// Onde, na entrega.
    pub pasta: PathBuf,
    /// O arquivo que se abre ou se compila, a partir da raiz da entrega; vazio, se só há o comando.
    pub fonte: PathBuf,
    /// O que se faz antes.
    pub preparar: Option<String>,
    /// O comando que abre o servidor.
    pub iniciar: String,
    /// O comando que repete a avaliação, para o laudo.
    pub repetir: String,
    /// O que o laudo também diz.
    pub notas: Vec<String>,
    /// Como se avalia.
    pub regras: Regras,
    /// Se é o cliente que se abre, para observá-lo: como.
    pub observar: Option<Observacao>,
    /// O que isola o programa; `None`, se nada o isola.
    pub cela: Option<Isolamento>,
    /// Onde o programa trabalha, se nada o isola: já tem a cópia da entrega.
    pub trabalho: PathBuf,
    /// Onde se escreve o que se concluiu.
    pub resultados: PathBuf,
    /// A pasta que diz de quem é a vez de ficar sozinho.
    pub vez: PathBuf,
}

/// Como se observa um cliente.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Observacao {
    /// Quanto se espera, em cada cena, que ele termine.
    pub tempo_maximo: Duration,
    /// A porta do servidor da mesma entrega, se não é a que se pede: o cliente também se espera nela.
    pub outra_porta: Option<u16>,
}

/// O que é igual para toda a turma.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Regras {
    /// Como se avalia.
    pub medida: Medida,
    /// Quanto vale cada item.
    pub pesos: Pesos,
}

impl Ordem {
    /// A ordem, como se passa a quem corrige.
    ///
    /// # Errors
    ///
    /// O sistema não passaria a um programa o comando que ela traz, e por quê.
    pub fn escrita(&self) -> Result<OrdemEscrita, &'static str> {
        if self.iniciar.contains('\0') {
            return Err("o comando que o abre tem um caractere nulo; escreva-o de novo, em UTF-8");
        }
        let texto = serde_json::to_string(self).unwrap_or_default();
        if texto.len() > ORDEM_MAXIMA {
            return Err("o comando que o abre é comprido demais; encurte-o");
        }
        Ok(OrdemEscrita { nome: self.nome.clone(), texto })
    }
}

/// Uma ordem pronta para se passar.
#[derive(Debug)]
pub struct OrdemEscrita {
    /// De quem é a entrega.
    pub nome: String,
    /// A ordem inteira.
    pub texto: String,
}

/// Os limites de dentro da cela.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Isolamento {
    /// Quanta memória.
    pub memoria: u64,
    /// Quanto disco.
    pub disco: u64,
    /// Quantos processos.
    pub processos: u64,
    /// O que mais se pode ler.
    pub tambem: Vec<PathBuf>,
}

impl Isolamento {
    /// Os mesmos limites, para montar a cela.
    pub fn limites(&self) -> Limites {
        Limites { memoria: self.memoria, disco: self.disco, processos: self.processos }
    }
}

/// Por que não houve correção.
#[derive(Debug, Error)]
pub enum Erro {
    /// A ordem não se entende: é outra versão do programa.
    #[error("a ordem não se entende: {0}")]
    Ordem(#[from] serde_json::Error),
    /// O sistema não deixou.
    #[error("não posso corrigir: {}", explicar(.0))]
    Sistema(#[from] io::Error),
}

/// Faz o que a ordem pede.
///
/// # Errors
///
/// A ordem não se entende, ou não se pode escrever o que se concluiu.
pub fn corrigir(ordem: &str) -> Result<(), Erro> {
    let mut ordem: Ordem = serde_json::from_str(ordem)?;
    let mut passou = None;
    if let Some(isolamento) = &ordem.cela {
        cela::sem_porta_presa();
        copiar(Path::new(cela::ENTREGA), Path::new(cela::TRABALHO))?;
        passou = Some(vigiar(isolamento.memoria));
    }
    let vez = Vez::abrir(&ordem.vez)?;
    let acompanhado = vez.acompanhado();
    let preparado = preparar(&mut ordem)?;
    drop(acompanhado);
    if let Some(observacao) = ordem.observar {
        let visto = match preparado {
            Err(motivo) => {
                let da_entrega = !pode_ser_da_maquina(&motivo);
                ClienteVisto::NaoSeViu { motivo, da_entrega }
            }
            Ok(()) => observar_o_cliente(&ordem, observacao)?,
        };
        fs::write(ordem.resultados.join(CLIENTE), serde_json::to_string(&visto)?)?;
        return Ok(());
    }
    let desfecho = match preparado {
        Err(motivo) if pode_ser_da_maquina(&motivo) => Desfecho::SemNota { motivo },
        Err(motivo) => Desfecho::NaoAbriu { motivo },
        Ok(()) => concluir(&ordem, &vez)?,
    };
    let passou = passou.is_some_and(|passou| passou.load(Ordering::Acquire));
    let desfecho = if passou { explicar_a_memoria(desfecho, &ordem) } else { desfecho };
    fs::write(ordem.resultados.join(DESFECHO), serde_json::to_string(&desfecho)?)?;
    Ok(())
}

/// Avalia o servidor e escreve os laudos.
fn concluir(ordem: &Ordem, vez: &Vez) -> Result<Desfecho, Erro> {
    let Regras { medida, pesos } = ordem.regras.clone();
    let opcoes = OpcoesDaAvaliacao {
        nome: Some(ordem.nome.clone()),
        iniciar: Some(comando(ordem)),
        medida,
        ..OpcoesDaAvaliacao::default()
    };
    let barra = ProgressBar::hidden();
    let pedido = Pedido {
        opcoes: &opcoes,
        comando: ordem.repetir.clone(),
        moldura: moldura_do_servidor(ordem),
        procura_a_porta: ordem.cela.is_some(),
        pesos,
        barra: barra.clone(),
        vez: Some(vez),
    };
    let acabou = AtomicBool::new(false);
    let avaliado = thread::scope(|escopo| {
        // Sem mais uma thread só não se vê o andamento.
        let _ = thread::Builder::new().spawn_scoped(escopo, || contar_o_andamento(&barra, &acabou));
        let avaliado = avaliar(pedido);
        acabou.store(true, Ordering::Release);
        avaliado
    });
    match avaliado {
        Ok(Some(mut boletim)) => {
            boletim.servidor = como_se_chama(ordem);
            boletim.observacoes.extend(ordem.notas.iter().cloned());
            fs::write(ordem.resultados.join(LAUDO_JSON), boletim.json())?;
            fs::write(ordem.resultados.join(LAUDO_HTML), boletim.html())?;
            Ok(Desfecho::Avaliada(resumir(&boletim)))
        }
        Ok(None) => Ok(Desfecho::SemNota { motivo: "a avaliação foi interrompida".into() }),
        Err(erro) => Ok(classificar(&erro)),
    }
}

/// Observa o cliente, em tempo real, e escreve os laudos.
fn observar_o_cliente(ordem: &Ordem, observacao: Observacao) -> Result<ClienteVisto, Erro> {
    let _ = writeln!(io::stdout(), "1 observando o cliente");
    let opcoes = OpcoesDoCliente {
        iniciar: comando(ordem),
        nome: Some(ordem.nome.clone()),
        entrada: None,
        porta: ordem.regras.medida.porta,
        outra_porta: observacao.outra_porta,
        tempo_maximo: observacao.tempo_maximo,
        escala: 1.0,
        relatorio: None,
        json: None,
    };
    let nao_se_viu = |motivo, da_entrega| Ok(ClienteVisto::NaoSeViu { motivo, da_entrega });
    match observar(&opcoes, &moldura_do_servidor(ordem), ordem.repetir.clone()) {
        Err(erro) => nao_se_viu(erro.to_string(), e_do_cliente(&erro)),
        Ok(None) => nao_se_viu("a observação foi interrompida".into(), false),
        Ok(Some(mut laudo)) => {
            laudo.cliente = como_se_chama(ordem);
            let porta = laudo.visto.porta().filter(|porta| *porta != opcoes.porta);
            if let Some(porta) = porta {
                laudo.comando += &format!(" --porta {porta}");
            }
            fs::write(ordem.resultados.join(LAUDO_JSON), laudo.json())?;
            fs::write(ordem.resultados.join(LAUDO_HTML), laudo.html())?;
            let lida = |exigencia: &Exigencia| ExigenciaLida {
                chave: exigencia.chave.into(),
                nome: exigencia.nome.into(),
                secao: exigencia.secao.into(),
                estado: exigencia.estado,
                viu: exigencia.viu.clone(),
            };
            let exigencias = laudo.exigencias.iter().map(lida).collect();
            Ok(ClienteVisto::Observado { iniciar: ordem.iniciar.clone(), exigencias, porta })
        }
    }
}

/// Como o laudo chama o que se abriu: pelo comando, ou, se se compilou, pela fonte, que é o que o aluno escreveu.
fn como_se_chama(ordem: &Ordem) -> String {
    match ordem.preparar {
        Some(_) if !ordem.fonte.as_os_str().is_empty() => visivel(&ordem.fonte.to_string_lossy()),
        _ => ordem.iniciar.clone(),
    }
}

/// O comando do servidor; sem a cela, é ele que vai à pasta.
fn comando(ordem: &Ordem) -> String {
    match ordem.cela {
        Some(_) => ordem.iniciar.clone(),
        None => {
            let pasta = ordem.trabalho.join(&ordem.pasta);
            format!("cd {} && {}", shell_words::quote(&pasta.to_string_lossy()), ordem.iniciar)
        }
    }
}

fn moldura(ordem: &Ordem) -> Vec<OsString> {
    let Some(isolamento) = &ordem.cela else { return Vec::new() };
    cela::moldura(&isolamento.limites(), &isolamento.tambem, &ordem.pasta)
}

fn moldura_do_servidor(ordem: &Ordem) -> Vec<OsString> {
    let mut moldura = moldura(ordem);
    if !moldura.is_empty() {
        moldura.push(cela::PROGRAMA.into());
    }
    moldura
}

/// A cada prova, diz qual é.
fn contar_o_andamento(barra: &ProgressBar, acabou: &AtomicBool) {
    let mut dito = 0;
    while !acabou.load(Ordering::Acquire) {
        let prova = barra.position();
        if prova != dito {
            dito = prova;
            // Se ninguém lê, tanto faz.
            let _ = writeln!(io::stdout(), "{prova} {}", barra.message());
        }
        thread::sleep(ENTRE_OLHADAS);
    }
}

fn resumir(boletim: &Boletim) -> Avaliada {
    let item = |item: &crate::avaliacao::boletim::Item| ItemLido {
        nome: item.nome.to_owned(),
        pontos: item.pontos(),
        de: item.de(),
    };
    let extra = |extra: &crate::avaliacao::boletim::Extra| ExtraLido {
        nome: extra.nome.to_owned(),
        estado: extra.estado.to_string(),
    };
    Avaliada {
        nota: boletim.nota(),
        itens: boletim.itens.iter().map(item).collect(),
        extras: boletim.extras.iter().map(extra).collect(),
        razao: boletim.razao(),
        porta: boletim.porta,
    }
}

/// De quem é a culpa de não ter havido avaliação.
fn classificar(erro: &SemAvaliacao) -> Desfecho {
    let motivo = erro.to_string();
    if erro.do_servidor() { Desfecho::NaoAbriu { motivo } } else { Desfecho::SemNota { motivo } }
}

/// Não se observou por causa do que o aluno entregou?
fn e_do_cliente(erro: &SemObservacao) -> bool {
    match erro {
        SemObservacao::NaoConectou { causa, .. } => !pode_ser_da_maquina(causa),
        SemObservacao::SemPorta { .. }
        | SemObservacao::NaoExecuta { .. }
        | SemObservacao::SistemaNaoExecutou(_) => false,
    }
}

/// Quem foi derrubado por gastar memória demais precisa saber disso, e não só que caiu.
fn explicar_a_memoria(desfecho: Desfecho, ordem: &Ordem) -> Desfecho {
    let memoria = ordem.cela.as_ref().map_or(0, |cela| cela.memoria) / 1024 / 1024;
    let nota = format!("o programa passou de {memoria} MB de memória, e foi derrubado");
    match desfecho {
        Desfecho::Avaliada(avaliada) => {
            let razoes = [nota, avaliada.razao.clone()];
            let razao = razoes.into_iter().filter(|razao| !razao.is_empty()).collect::<Vec<_>>();
            Desfecho::Avaliada(Avaliada { razao: razao.join("; "), ..avaliada })
        }
        Desfecho::NaoAbriu { motivo } => Desfecho::NaoAbriu { motivo: format!("{nota}; {motivo}") },
        Desfecho::SemNota { motivo } => Desfecho::SemNota { motivo },
    }
}

fn copiar(de: &Path, para: &Path) -> io::Result<()> {
    for entrada in fs::read_dir(de)? {
        let entrada = entrada?;
        let destino = para.join(entrada.file_name());
        if entrada.file_type()?.is_dir() {
            fs::create_dir_all(&destino)?;
            copiar(&entrada.path(), &destino)?;
        } else {
            fs::copy(entrada.path(), &destino)?;
        }
    }
    Ok(())
}

/// Compila, se é o caso; se não compilou, o que o compilador disse.
fn preparar(ordem: &mut Ordem) -> Result<Result<(), String>, Erro> {
    let Some(preparar) = ordem.preparar.clone() else { return Ok(Ok(())) };
    let pasta =
        if ordem.cela.is_some() { PathBuf::from(cela::TRABALHO) } else { ordem.trabalho.clone() };
    let pasta = pasta.join(&ordem.pasta);
    let antes = SystemTime::now();
    let _ = writeln!(io::stdout(), "0 compilando");
    let mut completo = moldura(ordem);
    completo.extend(["sh", "-c", &preparar].map(OsString::from));
    // Na cela, a pasta de costume é pequena, e o aluno também escreve nela.
    let dito = match ordem.cela {
        Some(_) => tempfile::tempfile_in("/tmp")?,
        None => tempfile::tempfile()?,
    };
    let situacao = executar(&completo, &pasta, &dito)?;
    let falhou = match situacao {
        Some(true) => None,
        Some(false) => Some(nao_compila(&o_que_disse(dito)?)),
        None => Some(format!("a compilação passou de {} s", TEMPO_DE_PREPARAR.as_secs())),
    };
    if let Some(motivo) = falhou {
        return Ok(Err(format!("{motivo}; o comando foi: {preparar}")));
    }
    if ordem.iniciar.contains(EXECUTAVEL) {
        match executavel(&pasta, antes, ordem.observar.is_some()) {
            Some(achado) => {
                ordem.iniciar = ordem.iniciar.replace(EXECUTAVEL, &citado(&achado, &pasta))
            }
            None => {
                return Ok(Err(format!("'{preparar}' não deixou nenhum programa para executar")));
            }
        }
    }
    Ok(Ok(()))
}

fn citado(achado: &Path, pasta: &Path) -> String {
    let relativo = Path::new(".").join(achado.strip_prefix(pasta).unwrap_or(achado));
    shell_words::quote(&relativo.to_string_lossy()).into_owned()
}

/// Terminou bem, terminou mal, ou não terminou a tempo.
fn executar(completo: &[OsString], pasta: &Path, dito: &File) -> io::Result<Option<bool>> {
    let Some((programa, argumentos)) = completo.split_first() else { return Ok(Some(true)) };
    let mut filho = Command::new(programa)
        .args(argumentos)
        .current_dir(pasta)
        .stdin(Stdio::null())
        .stdout(dito.try_clone()?)
        .stderr(dito.try_clone()?)
        .spawn()?;
    let limite = Instant::now() + TEMPO_DE_PREPARAR;
    loop {
        if let Some(situacao) = filho.try_wait()? {
            return Ok(Some(situacao.success()));
        }
        if Instant::now() > limite {
            filho.kill()?;
            filho.wait()?;
            return Ok(None);
        }
        thread::sleep(ENTRE_OLHADAS);
    }
}

/// O que o compilador disse; se é de um pacote que não há, também o que se sabe dele.
fn nao_compila(dito: &str) -> String {
    let curto: String = dito.chars().take(DITO_MAXIMO).collect();
    match modulo::do_compilador(dito) {
        Some(falta) => format!("não compila ({curto}); {falta}"),
        None => format!("não compila ({curto})"),
    }
}

/// A primeira linha com um erro, ou a última que diz algo.
fn o_que_disse(mut dito: File) -> io::Result<String> {
    use std::io::{Read, Seek};
    dito.rewind()?;
    let mut bytes = Vec::new();
    dito.take(1024 * 1024).read_to_end(&mut bytes)?;
    let texto = String::from_utf8_lossy(&bytes).into_owned();
    let diz = |linha: &&str| !linha.trim().is_empty();
    let primeira = |diz: fn(&str) -> bool| texto.lines().find(|linha| diz(linha));
    // O `make` repete os comandos, em que a palavra também aparece (`-Werror`).
    let linha = primeira(|linha| modulo::do_compilador(linha).is_some())
        .or_else(|| primeira(|linha| linha.contains("error:") || linha.contains("erro:")))
        .or_else(|| primeira(|linha| linha.contains("error")))
        .or_else(|| texto.lines().rev().find(diz))
        .unwrap_or("o compilador não disse por quê");
    Ok(visivel(linha.trim()))
}

/// O programa que a preparação deixou: dos que se executam e mudaram desde então, o que parece um servidor, ou o cliente.
fn executavel(pasta: &Path, desde: SystemTime, cliente: bool) -> Option<PathBuf> {
    let mut achados = Vec::new();
    procurar_executaveis(pasta, desde, 0, &mut achados);
    let nome = |caminho: &PathBuf| {
        caminho.file_name().unwrap_or_default().to_string_lossy().to_lowercase()
    };
    achados.sort_by_key(|caminho| {
        let nome = nome(caminho);
        let [serve, pede] = ["serv", "clien"].map(|parte| nome.contains(parte));
        let (e_ele, e_outro) = if cliente { (pede, serve) } else { (serve, pede) };
        (!e_ele, e_outro, caminho.components().count(), nome)
    });
    achados.into_iter().next()
}

/// Onde o Cargo põe o programa, três pastas abaixo; mais fundo só há peças dele.
const NIVEIS: usize = 3;

fn procurar_executaveis(pasta: &Path, desde: SystemTime, nivel: usize, achados: &mut Vec<PathBuf>) {
    // O relógio de um sistema de arquivos pode arredondar para baixo.
    let desde_com_folga = desde - Duration::from_secs(2);
    for entrada in fs::read_dir(pasta).into_iter().flatten().flatten() {
        let (caminho, nome) = (entrada.path(), entrada.file_name());
        let Ok(dados) = entrada.metadata() else { continue };
        let peca =
            ["build", "deps", "incremental", "examples", ".fingerprint"].iter().any(|p| nome == *p);
        if dados.is_dir() && nivel < NIVEIS && !peca {
            procurar_executaveis(&caminho, desde, nivel + 1, achados);
        }
        let novo = dados.modified().is_ok_and(|quando| quando >= desde_com_folga);
        let executa = dados.permissions().mode() & 0o111 != 0;
        let biblioteca = caminho.extension().is_some_and(|e| e == "so" || e == "o" || e == "sh");
        if dados.is_file() && executa && novo && !biblioteca {
            achados.push(caminho);
        }
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::avaliacao::modulo::Falta;

    #[test]
    fn o_que_se_compilou_se_acha_e_o_servidor_vem_antes_do_cliente() {
        let pasta = tempfile::tempdir().unwrap();
        let desde = SystemTime::now();
        for (nome, modo) in
            [("cliente", 0o755), ("zservidor", 0o755), ("servidor.c", 0o644), ("x.o", 0o755)]
        {
            let caminho = pasta.path().join(nome);
            fs::write(&caminho, "x").unwrap();
            fs::set_permissions(&caminho, fs::Permissions::from_mode(modo)).unwrap();
        }
        let achado = executavel(pasta.path(), desde, false).unwrap();
        assert_eq!(citado(&achado, pasta.path()), "./zservidor");
        let do_cliente = executavel(pasta.path(), desde, true).unwrap();
        assert_eq!(citado(&do_cliente, pasta.path()), "./cliente");
        let depois = desde + Duration::from_secs(3600);
        assert_eq!(
            executavel(pasta.path(), depois, false),
            None,
            "o que já estava ali não se compilou"
        );
    }

    #[test]
    fn a_ordem_se_escreve_inteira_ou_diz_por_que_nao_se_passa() {
        let com = |iniciar: String| {
            let regras =
                Regras { medida: OpcoesDaAvaliacao::default().medida, pesos: Pesos::default() };
            let ordem = Ordem {
                nome: "Ana".into(),
                pasta: PathBuf::new(),
                fonte: PathBuf::new(),
                preparar: None,
                iniciar,
                repetir: String::new(),
                notas: Vec::new(),
                regras,
                observar: None,
                cela: None,
                trabalho: PathBuf::new(),
                resultados: PathBuf::new(),
                vez: PathBuf::new(),
            };
            ordem.escrita()
        };
        let escrita = com("python3 servidor.py".into()).unwrap();
        let lida: Ordem = serde_json::from_str(&escrita.texto).unwrap();
        assert_eq!((escrita.nome.as_str(), lida.iniciar.as_str()), ("Ana", "python3 servidor.py"));
        assert!(com("python3 a\0b".into()).unwrap_err().contains("caractere nulo"));
        assert!(com("x".repeat(ORDEM_MAXIMA)).unwrap_err().contains("comprido demais"));
    }

    #[test]
    fn a_culpa_de_nao_abrir_e_de_quem_entregou_ou_da_maquina() {
        let terminou = |causa: &str| classificar(&SemAvaliacao::Terminou(causa.into()));
        assert_eq!(terminou(": SyntaxError").nota(), Some(0.0));
        let nao_se_sabe = Falta::Modulo("estoque".into());
        assert_eq!(terminou(&format!(": ModuleNotFoundError; {nao_se_sabe}")).nota(), None);
        let da_entrega = Falta::Arquivo("./estoque".into());
        assert_eq!(terminou(&format!(": Error; {da_entrega}")).nota(), Some(0.0));
        let sem_pacote = nao_compila("S.java:1: error: package com.google.gson does not exist");
        assert!(pode_ser_da_maquina(&sem_pacote), "{sem_pacote}");
        assert!(!pode_ser_da_maquina(&nao_compila("S.java:1: error: ';' expected")));
        assert_eq!(classificar(&SemAvaliacao::SemComando).nota(), None);
        let sem_cela = " (bwrap: Creating new namespace failed)".to_owned();
        assert_eq!(classificar(&SemAvaliacao::SistemaNaoExecutou(sem_cela.clone())).nota(), None);
        assert!(!e_do_cliente(&SemObservacao::SistemaNaoExecutou(sem_cela)));
    }
}
