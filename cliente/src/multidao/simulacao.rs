//! Monta a multidão, deixa-a viver e recolhe as histórias.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::net::ToSocketAddrs;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use protocolo::terminal::{contar, dizer, explicar};
use thiserror::Error;

use crate::auditoria::visitas;
use crate::conversa::escuta::Estilo;
use crate::conversa::fim_de_linha::FimDeLinha;
use crate::conversa::parada::Parada;
use crate::conversa::texto::citar;
use crate::historia::conjunto::Simulacao;
use crate::historia::guarda::{Conteudo, GUARDADAS_MAXIMAS, Guarda};
use crate::historia::vivido::{Conexao, Historia};
use crate::multidao::agenda::Agenda;
use crate::multidao::fila::Fila;
use crate::multidao::limites::{self, Limite};
use crate::multidao::painel::{Painel, Placar, Previsao};
use crate::multidao::pool;
use crate::multidao::roteiro::{Regras, Roteiro, acelerada};
use crate::multidao::sessao::Contexto;
use crate::multidao::sondagem::viver;
use crate::multidao::usuario::pedidos::Recusa;
use crate::multidao::usuario::{PRAZO_DA_RESPOSTA, Usuario};
use crate::multidao::visita::visitar;
use crate::opcoes::Opcoes;
use crate::saida;
use crate::sistema;

/// Por que não se pôde simular.
#[derive(Debug, Error)]
pub enum Erro {
    /// O nome do servidor não existe.
    #[error("'{0}' não é um servidor conhecido; confira --servidor")]
    ServidorDesconhecido(String),
    /// O que falta para um usuário só.
    #[error("não cabe nem um usuário: {}", .0.remedio())]
    NaoCabe(Limite),
    /// O que falta para uma thread só.
    #[error("o sistema não deu nenhuma thread: {}", .0.remedio())]
    SemThreads(Limite),
    /// Não se pode ouvir o Ctrl-C.
    #[error("não posso capturar o Ctrl-C: {}", explicar(.0))]
    SemCtrlC(io::Error),
    /// O servidor não sabe o que é um PEDIDO.
    #[error("o servidor não aceita --pedidos: {}; tire a opção, ou use um servidor que o aceite", como_recusou(.0))]
    SemPedidos(Recusa),
    /// O CSV não se pode escrever.
    #[error(transparent)]
    Csv(#[from] saida::Erro),
}

impl Erro {
    /// Quem ouve o Ctrl-C é uma thread, a primeira que o programa pede: quando não há nenhuma, é aqui que se
    /// descobre, e o sistema o diz como "tente de novo" (EAGAIN).
    fn sem_ctrl_c(erro: io::Error) -> Self {
        match erro.kind() {
            ErrorKind::WouldBlock => Erro::SemThreads(limites::das_threads()),
            _ => Erro::SemCtrlC(erro),
        }
    }
}

fn como_recusou(recusa: &Recusa) -> String {
    match recusa {
        Recusa::Disse(resposta) => format!("ao primeiro PEDIDO respondeu {}", citar(resposta)),
        Recusa::Calou => {
            let quanto = PRAZO_DA_RESPOSTA.as_secs();
            format!("respondeu a CONSULTAR, e em {quanto} s a nenhum PEDIDO")
        }
    }
}

/// Simula a multidão que as opções pedem, com esta semente. Cada operação vai ao arquivo que `csv` abre,
/// se algum foi pedido; só é chamada quando já há o que simular.
///
/// # Errors
///
/// O nome do servidor não existe, ou o sistema não deu com que começar. Servidor que não responde
/// não é erro aqui: cada usuário conta o que lhe aconteceu.
pub fn simular(
    opcoes: &Opcoes,
    semente: u64,
    csv: impl FnOnce() -> Result<Option<File>, saida::Erro>,
) -> Result<Simulacao, Erro> {
    let regras = regras(opcoes, semente);
    let ciclos = || (1..=opcoes.usuarios).map(|numero| Roteiro::novo(regras, numero).ciclos());
    let contexto = contexto(opcoes, semente, csv)?;
    let (canal, eventos) = mpsc::channel();
    // `canal` vai com a tarefa: o painel para quando a última cópia do canal se fecha. E cada thread tem a
    // sua conta do que se esperou nela: quem vive depois começa mais tarde por causa dos de antes.
    let tarefa = {
        let (contexto, esperado) = (&contexto, Cell::new(Duration::ZERO));
        let prefixo = opcoes.pedidos.then(prefixo_dos_pedidos);
        move |indice: usize| {
            let numero = indice + 1;
            let chegar = |depois| {
                let chegada = chegada(indice, opcoes).saturating_add(depois);
                let roteiro = Roteiro::novo(regras, numero);
                let usuario = Usuario::novo(numero, roteiro, chegada, opcoes.reconectar)
                    .entre(opcoes.servidores.len());
                match &prefixo {
                    Some(prefixo) => usuario.com_pedidos(Arc::clone(prefixo)),
                    None if contexto.fila.is_some() => usuario.em_laco_aberto(),
                    None => usuario,
                }
            };
            let mut historia = viver(numero, chegar, contexto, canal.clone());
            esperado.set(esperado.get() + historia.espera);
            historia.espera = esperado.get();
            historia
        }
    };
    let pedidas = opcoes.threads.unwrap_or(opcoes.usuarios).min(opcoes.usuarios);
    let (cabem, limite) = limites::cabem(pedidas);
    if let (0, Some(limite)) = (cabem, limite) {
        return Err(Erro::NaoCabe(limite));
    }
    let acompanhar = |threads| {
        let limite = if threads < cabem { Some(limites::das_threads()) } else { limite };
        anunciar(opcoes, semente, threads);
        if let Some(aviso) = faltaram(opcoes.usuarios, pedidas, threads, limite) {
            dizer(format_args!("cliente: {aviso}"));
        }
        if let Some(fila) = &contexto.fila {
            fila.esperar(threads);
        }
        let previsao = Previsao::de(opcoes, ciclos(), threads);
        Painel::novo(opcoes, previsao, &contexto).acompanhar(&eventos);
    };
    let historias = pool::executar(cabem, opcoes.usuarios, tarefa, acompanhar)
        .map_err(|_| Erro::SemThreads(limites::das_threads()))?;
    if let Some(Some(recusa)) = contexto.recusou_pedidos.get() {
        return Err(Erro::SemPedidos(recusa.clone()));
    }
    let ciclos_previstos = ciclos().map(u64::from).sum();
    Ok(concluir(contexto, historias, Previsto { semente, opcoes, ciclos_previstos }))
}

/// O que já se sabia da simulação antes de vivê-la.
struct Previsto<'a> {
    semente: u64,
    opcoes: &'a Opcoes,
    ciclos_previstos: u64,
}

/// Reúne o que se viveu, e faz a visita, se alguém tem de fazê-la.
fn concluir(contexto: Contexto, mut historias: Vec<Historia>, previsto: Previsto<'_>) -> Simulacao {
    historias.sort_unstable_by_key(|historia| historia.usuario);
    let Previsto { semente, opcoes, ciclos_previstos } = previsto;
    let Contexto { inicio, enderecos, parada, fim_de_linha, guarda, fila, .. } = contexto;
    let vivida = inicio.elapsed();
    let chegadas = fila.map(|fila| fila.concluir(vivida, parada.pedida()));
    let vividos = || historias.iter().map(|historia| u64::from(historia.ciclos)).sum();
    // No laço aberto não há roteiro: os ciclos previstos são os que couberam.
    let ciclos_previstos = if chegadas.is_some() { vividos() } else { ciclos_previstos };
    let espera = espera_do_aviso(&historias);
    let guarda = guarda.into_inner().unwrap_or_else(PoisonError::into_inner);
    let Conteudo { mut historias, medidas, perdidas, csv } = guarda.concluir(historias);
    let mut visita = Duration::ZERO;
    for (servidor, quando) in visitas(&historias) {
        let Some(enderecos) = enderecos.get(servidor.indice()) else { continue };
        if let Some(conexao) = visitar(inicio, quando, enderecos, &parada) {
            receber_visita(&mut historias, Conexao { servidor, ..conexao });
        }
        visita = inicio.elapsed().saturating_sub(vivida);
    }
    Simulacao {
        historias,
        medidas,
        perdidas,
        csv,
        semente,
        usuarios: opcoes.usuarios,
        servidores: opcoes.servidores.clone(),
        ciclos_previstos,
        chegadas,
        fim_de_linha: fim_de_linha.get().map_or(FimDeLinha::Lf, |(fim, _)| *fim),
        duracao: vivida + visita,
        espera: espera + visita,
        interrompida: parada.pedida(),
    }
}

/// O que todas as sessões têm em comum; o relógio da simulação começa aqui.
fn contexto(
    opcoes: &Opcoes,
    semente: u64,
    csv: impl FnOnce() -> Result<Option<File>, saida::Erro>,
) -> Result<Contexto, Erro> {
    let enderecos = |servidor: &String| match servidor.to_socket_addrs() {
        Ok(enderecos) => Ok(enderecos.collect()),
        Err(_) => Err(Erro::ServidorDesconhecido(servidor.clone())),
    };
    let enderecos = opcoes.servidores.iter().map(enderecos).collect::<Result<_, _>>()?;
    // Cada usuário é um descritor. Se não der para aumentar o limite, vale o que houver.
    sistema::aumentar_os_descritores();
    let parada = Parada::ao_sinal(|| ()).map_err(Erro::sem_ctrl_c)?;
    let fim_de_linha = opcoes.fim_de_linha.map(|pedido| (pedido, Duration::ZERO));
    let csv = csv()?.map(|csv| Box::new(csv) as Box<dyn Write + Send>);
    Ok(Contexto {
        inicio: Instant::now(),
        enderecos,
        espera: opcoes.espera,
        fim_de_linha: fim_de_linha.map_or_else(OnceLock::new, OnceLock::from),
        detalhado: opcoes.detalhado,
        placar: Placar::default(),
        fila: opcoes.carga.etapas().map(|etapas| Fila::nova(Agenda::nova(etapas, semente))),
        parada,
        guarda: Mutex::new(Guarda::nova(
            opcoes.usuarios,
            GUARDADAS_MAXIMAS,
            &opcoes.servidores,
            csv,
        )),
        recusou_pedidos: OnceLock::new(),
        estilo: Estilo::default(),
    })
}

/// O começo de todos os ids desta execução, diferente do de qualquer outra.
fn prefixo_dos_pedidos() -> Arc<str> {
    format!("{:016x}", rand::random::<u64>()).into()
}

/// A visita é a última conexão do primeiro usuário: todos já se foram.
fn receber_visita(historias: &mut [Historia], mut conexao: Conexao) {
    let Some(primeira) = historias.first_mut() else { return };
    conexao.numero = primeira.conexoes.last().map_or(1, |ultima| ultima.numero + 1);
    primeira.conexoes.push(conexao);
}

/// Quanto a simulação durou a mais porque alguém ficou à espera do AVISO: sem isso, cada um teria terminado
/// antes o tanto que esperou.
fn espera_do_aviso(historias: &[Historia]) -> Duration {
    let ultimo = |fim: fn(&Historia) -> Duration| historias.iter().map(fim).max();
    let com = ultimo(|historia| historia.terminou);
    let sem = ultimo(|historia| historia.terminou.saturating_sub(historia.espera));
    com.zip(sem).map(|(com, sem)| com.saturating_sub(sem)).unwrap_or_default()
}

fn regras(opcoes: &Opcoes, semente: u64) -> Regras {
    let Opcoes { ciclos, decisao, escuta, acelerar, .. } = *opcoes;
    Regras { semente, ciclos, decisao, escuta, acelerar }
}

/// As chegadas se espalham por igual pela rampa.
fn chegada(indice: usize, opcoes: &Opcoes) -> Duration {
    let rampa = acelerada(opcoes.carga.rampa(), opcoes.acelerar).as_secs_f64();
    let fracao = indice as f64 / opcoes.usuarios as f64;
    Duration::try_from_secs_f64(rampa * fracao).unwrap_or(Duration::MAX)
}

fn anunciar(opcoes: &Opcoes, semente: u64, threads: usize) {
    let usuarios = opcoes.usuarios;
    dizer(format_args!(
        "cliente: {} em {} contra {} (semente {semente})",
        contar(usuarios, "usuário", "usuários"),
        contar(threads, "thread", "threads"),
        opcoes.servidor()
    ));
}

/// O que dizer de haver menos threads que usuários, se há: por escolha, ou porque algo faltou. Uma só basta
/// para seguir: todos viverão, e o veredito vale sobre o que viverem; o que se perde é a multidão.
fn faltaram(
    usuarios: usize,
    pedidas: usize,
    threads: usize,
    limite: Option<Limite>,
) -> Option<String> {
    let espera = format!("no máximo {threads} ao mesmo tempo, e os outros esperam a vez");
    match limite {
        Some(limite) if threads < pedidas => Some(format!(
            "o sistema só deu {threads} de {pedidas} threads ({}); a simulação segue: {espera}",
            limite.remedio()
        )),
        _ if threads < usuarios => Some(format!("há menos threads que usuários: {espera}")),
        _ => None,
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use clap::Parser;

    #[test]
    fn o_que_falta_e_dito_com_o_que_aumentar_e_o_que_se_escolheu_nao_e_falta() {
        assert_eq!(faltaram(50, 50, 50, None), None);
        let escolhido = faltaram(50, 3, 3, None).unwrap();
        assert!(
            escolhido.starts_with("há menos threads que usuários: no máximo 3 "),
            "{escolhido}"
        );
        let faltou = faltaram(50, 20, 3, Some(Limite::Descritores)).unwrap();
        assert!(faltou.starts_with("o sistema só deu 3 de 20 threads ("), "{faltou}");
        assert!(faltou.contains("'ulimit -n'") && faltou.contains("no máximo 3 "), "{faltou}");
        assert!(faltaram(50, 50, 3, Some(Limite::Threads)).unwrap().contains("'ulimit -u'"));
    }

    #[test]
    fn a_rampa_espalha_as_chegadas_por_igual_e_tambem_e_acelerada() {
        let opcoes = |linha: &str| Opcoes::parse_from(linha.split(' '));
        let chegadas = |opcoes: &Opcoes| [0, 1, 3].map(|indice| chegada(indice, opcoes));
        let segundos = |s| Duration::from_secs(s);
        let normal = opcoes("cliente --usuarios 4 --rampa 8s");
        assert_eq!(chegadas(&normal), [segundos(0), segundos(2), segundos(6)]);
        let rapida = opcoes("cliente --usuarios 4 --rampa 8s --acelerar 2");
        assert_eq!(chegadas(&rapida), [segundos(0), segundos(1), segundos(3)]);
        let nenhuma = opcoes("cliente --usuarios 4");
        assert_eq!(chegadas(&nenhuma), [segundos(0); 3]);
    }
}
