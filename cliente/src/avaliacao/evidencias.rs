//! O que as provas viram: é disto que saem os pontos. Só há dados; quantos pontos valem, não é daqui.

use std::collections::BTreeMap;
use std::time::Duration;

use super::sonda::Troca;
use crate::auditoria::violacao::Violacao;

/// Tudo o que as provas viram.
#[derive(Debug, Default)]
pub struct Evidencias {
    /// Uma conversa calma, um comando por vez.
    pub conversa: Conversa,
    /// Com um cliente calado na frente, outro teve resposta?
    pub atras_do_calado: Atras,
    /// Com um cliente no meio de um comando, outro teve resposta?
    pub atras_da_metade: Atras,
    /// A resposta a um cliente foi para outro.
    pub extravio: bool,
    /// As disputas.
    pub rodadas: Vec<Rodada>,
    /// Quem ouviu o AVISO na primeira disputa.
    pub aviso: Ouvintes,
    /// As provocações, na ordem, e por que o servidor deixou de atender depois de cada uma, se deixou.
    pub robustez: Vec<(Provocacao, Option<String>)>,
    /// Nas disputas, o Python do servidor trocou de thread mais depressa.
    pub apressado: bool,
    /// O comando terminou, e deixou o servidor em segundo plano.
    pub em_segundo_plano: bool,
    /// A maior fração de um núcleo que o servidor gastou sem ninguém conectado, se não ficou parado.
    pub gasto_em_sossego: Option<f64>,
}

/// O que houve com quem pediu atrás de outro cliente.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Atras {
    /// Teve resposta.
    Respondido(Troca),
    /// Não teve.
    #[default]
    Bloqueado,
    /// Teve, mas o servidor já tinha fechado a conexão de quem estava na frente, que nada pediu.
    SemNinguemNaFrente,
}

/// Uma conversa calma: consultas, compras até acabar, e uma recusa.
#[derive(Debug, Default)]
pub struct Conversa {
    /// O primeiro estoque que se leu.
    pub inicial: Option<i128>,
    /// As consultas.
    pub consultas: Vec<Troca>,
    /// As compras que deviam ser feitas.
    pub compras: Vec<Troca>,
    /// As compras que deviam ser recusadas.
    pub recusas: Vec<Troca>,
    /// A primeira contradição da conversa.
    pub contradicao: Option<Violacao>,
    /// Mandou mais respostas do que pedidos.
    pub sobras: bool,
    /// A recusa, se não se entende e se distingue de uma venda: o mesmo texto, nas disputas, é recusa também.
    pub recusa: Option<String>,
    /// Se os números que diz a quem compra estão errados, mas são sempre os mesmos: o que cada um queria dizer.
    pub numeros: BTreeMap<i128, i128>,
    /// Depois de responder a quais destes pedidos o servidor fechou a conexão.
    pub fecha_depois_de: Vec<&'static str>,
    /// As portas do cliente, para achá-lo no console: mais de uma, se o servidor fecha a conexão.
    pub portas: Vec<u16>,
    /// O console do servidor.
    pub console: Option<String>,
}

/// Um jeito de um cliente fazer o que não devia.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provocacao {
    /// Resets, com e sem um comando no meio.
    Resets,
    /// Ir embora no meio de um comando.
    Metades,
    /// Bytes que não são comando nem texto.
    Lixo,
}

/// Quanto estas trocas costumam demorar: a mediana das que tiveram resposta, que um soluço não muda.
pub fn demora_tipica(trocas: &[Troca]) -> Option<Duration> {
    let respondidas = trocas.iter().filter(|troca| troca.resposta.is_some());
    let mut demoras: Vec<Duration> = respondidas.map(|troca| troca.demora).collect();
    demoras.sort_unstable();
    demoras.get(demoras.len().saturating_sub(1) / 2).copied()
}

/// Quem ouviu o AVISO.
#[derive(Debug, Default)]
pub struct Ouvintes {
    /// Quantos ficaram conectados, ou o ouviram antes de o servidor fechar a conexão.
    pub conectados: usize,
    /// Quantos o receberam.
    pub ouviram: usize,
    /// Só quem comprou a última unidade não o recebeu.
    pub menos_o_comprador: bool,
    /// Só quem comprou a última unidade o recebeu.
    pub so_o_comprador: bool,
    /// Alguém o recebeu mais de uma vez, ou fora de hora.
    pub desordem: Option<String>,
    /// As palavras, se não são as do enunciado.
    pub outras_palavras: Option<String>,
    /// O primeiro texto que veio sem ninguém pedir e não se reconheceu como AVISO.
    pub nao_entendido: Option<String>,
    /// Do primeiro ao último.
    pub espalhamento: Duration,
}

/// Uma disputa: todos compram ao mesmo tempo, de um servidor recém-aberto.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rodada {
    /// Quantos compradores se quis reunir.
    pub convidados: usize,
    /// Quantos deles o servidor atendeu e continuavam conectados quando a disputa começou.
    pub atendidos: usize,
    /// Quantos compraram juntos. Se o servidor fecha a conexão a cada resposta, conectam de novo a cada pedido.
    pub compradores: usize,
    /// Quanto havia à venda, se o servidor o disse.
    pub havia: Option<u64>,
    /// Compras feitas.
    pub vendas: u64,
    /// Compras recusadas.
    pub recusas: u64,
    /// Compras sem resposta nenhuma.
    pub sem_resposta: u64,
    /// Compras com uma resposta que não se entende.
    pub estranhas: u64,
    /// A primeira dessas, já só com o que é visível.
    pub primeira_estranha: Option<String>,
    /// Contradições sobre o estoque, a primeira a aparecer antes.
    pub contradicoes: Vec<Violacao>,
}

impl Conversa {
    /// Alguma resposta não veio, ou não veio ao pé da letra, e isso custa pontos: em uma máquina mais sossegada, podia ter
    /// vindo a tempo, e inteira.
    pub fn pode_ser_demora(&self) -> bool {
        let Conversa { consultas, compras, recusas, .. } = self;
        consultas.iter().chain(compras).chain(recusas).any(|troca| !troca.ao_pe_da_letra())
    }
}

impl Atras {
    /// Não se teve resposta, ou a que veio não se entende.
    pub fn pode_ser_demora(&self) -> bool {
        match self {
            Atras::Respondido(troca) => !troca.se_entende(),
            Atras::Bloqueado => true,
            Atras::SemNinguemNaFrente => false,
        }
    }
}

/// As linhas do console que têm um destes números de porta, e não só os algarismos dele dentro de outro.
pub fn linhas_das_portas<'a>(console: &'a str, portas: &[u16]) -> impl Iterator<Item = &'a str> {
    let portas: Vec<String> = portas.iter().map(u16::to_string).collect();
    console.lines().filter(move |linha| {
        let mut numeros = linha.split(|letra: char| !letra.is_ascii_digit());
        numeros.any(|numero| portas.iter().any(|porta| porta == numero))
    })
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::avaliacao::pontos::exemplos::{certas, troca};
    use protocolo::Comando;

    #[test]
    fn o_que_nao_veio_ou_nao_veio_inteiro_pode_ser_demora() {
        let Evidencias { mut conversa, .. } = certas();
        assert!(!conversa.pode_ser_demora());
        conversa.recusas[0].resposta = None;
        assert!(conversa.pode_ser_demora());
        conversa.recusas[0].resposta = Some("ERRO: Produto".into());
        assert!(conversa.pode_ser_demora(), "falta um pedaço");
    }

    #[test]
    fn atras_de_outro_so_nao_pode_ser_demora_o_que_se_entende_e_a_conexao_fechada() {
        let respondido = |texto| Atras::Respondido(troca(Comando::Consultar, texto));
        assert!(Atras::Bloqueado.pode_ser_demora());
        assert!(respondido("Esto").pode_ser_demora());
        assert!(!respondido("Estoque atual: 3").pode_ser_demora());
        assert!(!Atras::SemNinguemNaFrente.pode_ser_demora());
    }
}
