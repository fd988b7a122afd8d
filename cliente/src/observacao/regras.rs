//! O que a atividade exige do cliente (§5, §6, §7.3), conferido no que se viu: funções puras, sem relógio nem sockets.
//!
//! Só se acusa o que se viu acontecer. O que o aluno pode ter feito de um modo que daqui não se vê é
//! [`Estado::NaoSeViu`], com o porquê.

mod ciclos;
mod tempos;
mod tropecos;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::visto::{Conexao, Pedido, Visto};
use crate::cores::Tinta;
use crate::tempo::formatar;

/// O que se concluiu de uma exigência.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estado {
    /// Viu-se cumprir.
    Cumprido,
    /// Viu-se descumprir.
    NaoCumprido,
    /// Não houve como ver.
    NaoSeViu,
}

impl Estado {
    /// Como se diz.
    pub fn nome(self) -> &'static str {
        match self {
            Estado::Cumprido => "cumprido",
            Estado::NaoCumprido => "não cumprido",
            Estado::NaoSeViu => "não se viu",
        }
    }

    /// A cor.
    pub fn tinta(self) -> Tinta {
        match self {
            Estado::Cumprido => Tinta::Boa,
            Estado::NaoCumprido => Tinta::Ruim,
            Estado::NaoSeViu => Tinta::Neutra,
        }
    }
}

/// Uma exigência conferida.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exigencia {
    /// Um nome que não muda, para programas.
    pub chave: &'static str,
    /// O que se exige.
    pub nome: &'static str,
    /// Onde o enunciado o diz.
    pub secao: &'static str,
    /// O que se concluiu.
    pub estado: Estado,
    /// O que se viu.
    pub viu: String,
}

/// Uma conclusão: o estado e o que se viu.
type Conclusao = (Estado, String);

/// Os tempos do enunciado, na escala em que o aluno os pôs.
#[derive(Debug, Clone, Copy)]
pub struct Escala(pub f64);

impl Escala {
    fn segundos(self, segundos: u64) -> Duration {
        Duration::from_secs(segundos).mul_f64(self.0)
    }
}

/// Com um atraso destes do observador, quem espera uma resposta com pressa pode ter desistido por causa da máquina.
const GRAVE: Duration = Duration::from_millis(250);

/// Um atraso menor que este não explica o que não se viu.
const NOTAVEL: Duration = Duration::from_millis(50);

/// Do pedido até o fim da conexão, a máquina pode ter feito esperar demais?
fn presa(visto: &Visto, pediu: Duration, saiu: Duration) -> bool {
    visto.atraso_em(pediu).max(visto.atraso(pediu, saiu)) >= GRAVE
}

/// Por que não se acusa: entre estes instantes, a máquina não deixou ver. Vazio, se deixou.
fn ocupada(visto: &Visto, de: Duration, ate: Duration) -> String {
    match visto.atraso(de, ate) {
        atraso if atraso < NOTAVEL => String::new(),
        atraso => format!(
            "; a máquina estava ocupada, e o relógio do observador atrasou até {}",
            formatar(atraso)
        ),
    }
}

/// Quem nada pede por tanto tempo, em segundos, já não está em uma escuta.
const SILENCIO: u64 = 20;

/// A palavra que concorda com quantos são.
fn concorda(quantos: usize, um: &'static str, muitos: &'static str) -> &'static str {
    if quantos == 1 { um } else { muitos }
}

/// O que o enunciado não pede, e é só um conselho.
pub const ALEM: &str = "além do enunciado";

/// Confere tudo. `fecha` é a cena do servidor que fecha as conexões, se houve.
pub fn conferir(visto: &Visto, fecha: Option<&Visto>, escala: Escala) -> Vec<Exigencia> {
    let mut todas = do_enunciado(visto, escala);
    todas.extend(alem_do_enunciado(visto, fecha, escala));
    todas
}

fn exigencia(
    chave: &'static str,
    nome: &'static str,
    secao: &'static str,
    (estado, viu): Conclusao,
) -> Exigencia {
    Exigencia { chave, nome, secao, estado, viu }
}

fn do_enunciado(visto: &Visto, escala: Escala) -> Vec<Exigencia> {
    vec![
        exigencia(
            "simultaneos",
            "vários usuários ao mesmo tempo",
            "§5.1",
            ciclos::simultaneos(visto),
        ),
        exigencia(
            "aberta",
            "a conexão fica aberta depois da compra",
            "§5.2",
            tempos::aberta(visto, escala),
        ),
        exigencia(
            "consulta-antes",
            "CONSULTAR antes de cada COMPRAR",
            "§5.3",
            ciclos::consulta_antes(visto),
        ),
        exigencia("decisao", "o tempo de decisão varia", "§5.3", tempos::decisao(visto)),
        exigencia(
            "escuta",
            "5 a 10 s de escuta depois de cada compra",
            "§5.3",
            tempos::escuta(visto, escala),
        ),
        exigencia("ciclos", "de 10 a 20 ciclos por usuário", "§5.3", ciclos::quantos(visto)),
        exigencia(
            "ciclos-variam",
            "o número de ciclos não é o mesmo para todos",
            "§5.3",
            ciclos::variam(visto),
        ),
        exigencia("aviso", "o AVISO aparece logo no console", "§7.3", tropecos::aviso(visto)),
        exigencia("termina", "termina por si", "§5.3", ciclos::termina(visto, escala)),
        exigencia(
            "colado",
            "aguenta uma resposta e o AVISO em um envio só",
            "§6",
            tropecos::colado(visto, escala),
        ),
        exigencia(
            "esgotado",
            "continua depois de ouvir que esgotou",
            "§3.2",
            tropecos::esgotado(visto, escala),
        ),
    ]
}

fn alem_do_enunciado(visto: &Visto, fecha: Option<&Visto>, escala: Escala) -> [Exigencia; 3] {
    [
        exigencia(
            "sem-fim-de-linha",
            "entende respostas com e sem fim de linha",
            ALEM,
            tropecos::sem_fim_de_linha(visto, escala),
        ),
        exigencia("lento", "espera por um servidor lento", ALEM, tropecos::lento(visto, escala)),
        exigencia("fecha", "aguenta um servidor que fecha a conexão", ALEM, tropecos::fecha(fecha)),
    ]
}

/// Cada pedido com o seguinte na mesma conexão, se há.
fn com_o_seguinte(conexao: &Conexao) -> impl Iterator<Item = (&Pedido, Option<&Pedido>)> {
    let pedidos = &conexao.pedidos;
    pedidos.iter().enumerate().map(|(indice, pedido)| (pedido, pedidos.get(indice + 1)))
}

#[cfg(test)]
mod testes;
