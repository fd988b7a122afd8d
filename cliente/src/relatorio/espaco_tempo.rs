//! O diagrama de espaço e tempo de uma contradição: a linha de vida de cada usuário e a do estoque, as setas do
//! pedido e da resposta, e o intervalo em que cada operação aconteceu. Primeiro se calcula onde fica cada coisa, o que
//! é puro e se confere sem desenhar; depois se pinta. Não julga: as provas são as da auditoria.
//!
//! O tempo desce, e cada instante tem uma fileira da mesma altura: o que ensina é a ordem. Entre microssegundos e
//! segundos, em escala, só se veria um dos dois.

use std::time::Duration;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::graficos::{self, Erro, Quadro, Tela};
use crate::auditoria::desenho::letras;
use crate::auditoria::violacao::{Leitura, Origem, Violacao};
use crate::tempo::instante;

/// Quantas operações se desenham: as que se contradizem são no máximo duas.
const OPERACOES: usize = 2;

// As medidas, em pixels.
const CABECALHO: i32 = 48;
const PRIMEIRA_FILEIRA: i32 = CABECALHO + 34;
const FILEIRA: i32 = 68;
/// Quanto uma seta desce.
const QUEDA: i32 = 12;
const BARRA: i32 = 9;
const RAIO: i32 = 5;
const SOBRA: i32 = 16;
/// Um instante de até 27 horas, com seis casas.
const LETRAS_DO_INSTANTE: usize = 14;

/// Onde se prende um texto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lado {
    Esquerda,
    Centro,
    Direita,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Texto {
    x: i32,
    topo: i32,
    lado: Lado,
    tamanho: i32,
    texto: String,
}

/// Uma mensagem: sai da linha de vida em que começa e chega, mais abaixo, à outra.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seta {
    de: (i32, i32),
    ate: (i32, i32),
    cor: RGBColor,
}

/// Uma barra em pé: de quando a quando algo podia acontecer.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Intervalo {
    x: i32,
    de: i32,
    ate: i32,
    cor: RGBColor,
}

/// Onde fica cada coisa.
#[derive(Debug, Default, PartialEq)]
struct Plano {
    largura: i32,
    altura: i32,
    /// O x de cada linha de vida, e o y em que começa; a primeira é a do estoque.
    vidas: Vec<(i32, i32)>,
    /// Onde alguém conectou.
    chegadas: Vec<(i32, i32)>,
    /// O y de cada instante.
    instantes: Vec<i32>,
    setas: Vec<Seta>,
    intervalos: Vec<Intervalo>,
    textos: Vec<Texto>,
}

/// De que lado do estoque fica o usuário de uma operação: à esquerda (-1) ou à direita (1).
type Mao = i32;

/// As colunas de uma tela.
struct Colunas {
    usuarios: [i32; 2],
    estoque: i32,
    letra: i32,
}

impl Colunas {
    fn de(tela: Tela) -> Self {
        match tela {
            Tela::Larga => Colunas { usuarios: [190, 850], estoque: 520, letra: 16 },
            Tela::Estreita => Colunas { usuarios: [92, 358], estoque: 225, letra: 13 },
        }
    }

    fn usuario(&self, mao: Mao) -> i32 {
        self.usuarios[usize::from(mao > 0)]
    }

    /// Quantas letras cabem entre um usuário e o estoque.
    fn cabem(&self) -> usize {
        let vao = self.estoque - self.usuarios[0] - 2 * BARRA - 8;
        usize::try_from(vao / largura_da_letra(self.letra)).unwrap_or_default()
    }
}

/// Uma operação, com a fileira do começo e a do fim dela. Do AVISO pode só haver o fim.
struct Passo<'a> {
    prova: &'a Leitura,
    mao: Mao,
    de: i32,
    ate: i32,
}

/// Com folga, a largura da letra média.
fn largura_da_letra(tamanho: i32) -> i32 {
    (tamanho * 11 + 19) / 20
}

impl Plano {
    fn de(violacao: &Violacao, tela: Tela) -> Self {
        let provas = provas(violacao);
        let colunas = Colunas::de(tela);
        let instantes = instantes(&provas);
        let fileira = |qual: (Duration, bool)| {
            let antes = instantes.iter().take_while(|outro| **outro != qual).count();
            PRIMEIRA_FILEIRA + FILEIRA * i32::try_from(antes).unwrap_or_default()
        };
        let maos = maos(&provas);
        let passos = provas.iter().zip(maos).map(|(prova, mao)| {
            let [de, ate] = [fileira((prova.inicio, false)), fileira((prova.fim, true))];
            Passo { prova, mao, de: if comeca(prova) { de } else { ate }, ate }
        });
        let passos: Vec<Passo<'_>> = passos.collect();
        let quantos = i32::try_from(instantes.len()).unwrap_or_default();
        let mut plano = Plano {
            largura: i32::try_from(tela.largura()).unwrap_or(i32::MAX),
            altura: PRIMEIRA_FILEIRA + FILEIRA * (quantos - 1).max(0) + SOBRA,
            ..Plano::default()
        };
        plano.cabecalhos(&passos, &colunas);
        plano.tempos(&instantes, &colunas);
        for passo in &passos {
            plano.passo(passo, &colunas);
        }
        plano
    }

    fn texto(&mut self, x: i32, topo: i32, lado: Lado, tamanho: i32, texto: String) {
        if !texto.is_empty() {
            self.textos.push(Texto { x, topo, lado, tamanho, texto });
        }
    }

    /// Um nome por linha de vida, com o servidor em baixo se há mais de um.
    fn cabecalhos(&mut self, passos: &[Passo<'_>], colunas: &Colunas) {
        let letra = colunas.letra;
        self.vidas.push((colunas.estoque, CABECALHO));
        let baixo = CABECALHO - letra - 6;
        self.texto(colunas.estoque, baixo, Lado::Centro, letra, "estoque".into());
        for mao in [-1, 1] {
            let Some(passo) = passos.iter().find(|passo| passo.mao == mao) else { continue };
            let x = colunas.usuario(mao);
            // Só começa depois a de quem nada fez antes de conectar.
            let chegadas = passos.iter().filter(|p| p.mao == mao).map(Passo::chegada);
            let comeco = chegadas.map(|chegada| chegada.unwrap_or(CABECALHO)).min();
            self.vidas.push((x, comeco.unwrap_or(CABECALHO)));
            let Leitura { usuario, servidor, .. } = passo.prova;
            let onde = servidor.to_string().trim().to_owned();
            let nome = format!("usuário {usuario}");
            let linhas = if onde.is_empty() { vec![nome] } else { vec![nome, onde] };
            for (texto, topo) in linhas.iter().rev().zip([baixo, baixo - letra - 4]) {
                let texto = encurtar(texto, colunas.cabem());
                // O nome comprido encosta na borda, e não sai dela.
                let meia = i32::try_from(letras(&texto)).unwrap_or(0) * largura_da_letra(letra) / 2;
                let x = x.clamp(meia + 2, (self.largura - meia - 2).max(meia + 2));
                self.texto(x, topo, Lado::Centro, letra, texto);
            }
        }
    }

    /// O instante de cada fileira, na margem.
    fn tempos(&mut self, instantes: &[(Duration, bool)], colunas: &Colunas) {
        for ((quando, _), y) in instantes.iter().zip((PRIMEIRA_FILEIRA..).step_by(FILEIRA as usize))
        {
            self.instantes.push(y);
            let quando = encurtar(&instante(*quando, 6), LETRAS_DO_INSTANTE);
            let letra = colunas.letra - 1;
            self.texto(4, y - letra - 4, Lado::Esquerda, letra, quando);
        }
    }

    fn passo(&mut self, passo: &Passo<'_>, colunas: &Colunas) {
        if let Some(y) = passo.chegada() {
            self.chegadas.push((colunas.usuario(passo.mao), y));
            self.rotulo(passo, colunas, y, "conectou aqui".into());
        }
        match passo.prova.origem {
            Origem::Silencio => self.silencio(passo, colunas),
            Origem::Aviso => self.resposta(passo, colunas),
            Origem::Consulta | Origem::Venda | Origem::VendaSemNumero | Origem::Recusa => {
                self.pedido(passo, colunas);
                self.resposta(passo, colunas);
                self.efeito(passo, colunas);
            }
        }
    }

    fn pedido(&mut self, passo: &Passo<'_>, colunas: &Colunas) {
        let usuario = colunas.usuario(passo.mao);
        let ate = (colunas.estoque + passo.mao * BARRA, passo.de + QUEDA);
        self.setas.push(Seta { de: (usuario, passo.de), ate, cor: cor(passo.prova) });
        self.rotulo(passo, colunas, passo.de, passo.prova.pedido().into());
    }

    fn resposta(&mut self, passo: &Passo<'_>, colunas: &Colunas) {
        let usuario = colunas.usuario(passo.mao);
        let de = (colunas.estoque + passo.mao * BARRA, passo.ate - QUEDA);
        self.setas.push(Seta { de, ate: (usuario, passo.ate), cor: cor(passo.prova) });
        self.rotulo(passo, colunas, passo.ate - QUEDA, ouvido(passo.prova));
    }

    /// O que a seta que começa aqui diz, acima dela.
    fn rotulo(&mut self, passo: &Passo<'_>, colunas: &Colunas, seta: i32, texto: String) {
        let meio = (colunas.estoque + colunas.usuario(passo.mao)) / 2;
        let topo = seta + QUEDA / 2 - 8 - colunas.letra;
        let texto = encurtar(&texto, colunas.cabem());
        self.texto(meio, topo, Lado::Centro, colunas.letra, texto);
    }

    /// Em algum instante desta barra a operação aconteceu: entre o pedido chegar e a resposta sair.
    fn efeito(&mut self, passo: &Passo<'_>, colunas: &Colunas) {
        let (de, ate) = (passo.de + QUEDA, passo.ate - QUEDA);
        let x = colunas.estoque + if passo.mao < 0 { -BARRA } else { 0 };
        self.intervalos.push(Intervalo { x, de, ate, cor: cor(passo.prova) });
        let lado = if passo.mao < 0 { Lado::Direita } else { Lado::Esquerda };
        let x = colunas.estoque + passo.mao * (BARRA + 6);
        let texto = encurtar(&efeito(passo.prova), colunas.cabem());
        self.texto(x, de + 7, lado, colunas.letra, texto);
    }

    /// Ninguém pediu nem ouviu nada: só se esteve à escuta.
    fn silencio(&mut self, passo: &Passo<'_>, colunas: &Colunas) {
        let usuario = colunas.usuario(passo.mao);
        let x = usuario - BARRA / 2;
        self.intervalos.push(Intervalo { x, de: passo.de, ate: passo.ate, cor: cor(passo.prova) });
        self.rotulo(passo, colunas, passo.ate - QUEDA, "nenhum AVISO".into());
    }
}

impl Passo<'_> {
    /// A fileira em que o usuário conectou, se é isso que conta, e não o que pediu.
    fn chegada(&self) -> Option<i32> {
        let escutava = matches!(self.prova.origem, Origem::Aviso | Origem::Silencio);
        (escutava && comeca(self.prova)).then_some(self.de)
    }
}

/// As provas que se desenham, na ordem em que começaram. Do AVISO sem começo, que ninguém pediu, só há o fim.
fn provas(violacao: &Violacao) -> Vec<Leitura> {
    let mut provas = violacao.provas.clone();
    provas.sort_by_key(comeco);
    provas.truncate(OPERACOES);
    provas
}

fn comeco(prova: &Leitura) -> Duration {
    if comeca(prova) { prova.inicio } else { prova.fim }
}

/// Sabe-se quando começou? Do AVISO, só se sabe se importa quando quem o ouviu conectou.
fn comeca(prova: &Leitura) -> bool {
    prova.origem != Origem::Aviso || !prova.inicio.is_zero()
}

/// Os instantes em que algo começa (`false`) ou termina, em ordem. No mesmo instante, quem começa vem antes: as
/// operações que se tocam podem ter acontecido juntas.
fn instantes(provas: &[Leitura]) -> Vec<(Duration, bool)> {
    let pontas = |prova: &Leitura| {
        let comeco = comeca(prova).then_some((prova.inicio, false));
        comeco.into_iter().chain([(prova.fim, true)])
    };
    let mut instantes: Vec<(Duration, bool)> = provas.iter().flat_map(pontas).collect();
    instantes.sort_unstable();
    instantes.dedup();
    instantes
}

/// De que lado fica cada operação: as de um usuário, do mesmo, se não se cruzam.
fn maos(provas: &[Leitura]) -> Vec<Mao> {
    match provas {
        [uma, outra] if uma.usuario == outra.usuario && uma.fim < comeco(outra) => vec![-1, -1],
        _ => (0..provas.len()).map(|qual| if qual == 0 { -1 } else { 1 }).collect(),
    }
}

/// O que se ouviu, nas palavras da resposta.
fn ouvido(prova: &Leitura) -> String {
    match prova.origem {
        Origem::Consulta => format!("estoque {}", prova.valor),
        Origem::Venda => format!("restaram {}", prova.valor),
        Origem::VendaSemNumero => "comprou".into(),
        Origem::Recusa => "esgotado".into(),
        Origem::Aviso => "AVISO".into(),
        Origem::Silencio => String::new(),
    }
}

/// O que isso diz do estoque, no instante em que aconteceu.
fn efeito(prova: &Leitura) -> String {
    match prova.origem {
        Origem::Consulta => format!("havia {}", prova.valor),
        Origem::Venda => format!("{} → {}", prova.antes(), prova.valor),
        Origem::VendaSemNumero => "uma a menos".into(),
        Origem::Recusa => "havia 0".into(),
        Origem::Aviso | Origem::Silencio => String::new(),
    }
}

/// Só um servidor hostil diz um número que não cabe; por inteiro, ele está na frase da contradição.
fn encurtar(texto: &str, cabem: usize) -> String {
    if letras(texto) <= cabem {
        return texto.into();
    }
    let comeco: String = texto.chars().take(cabem.saturating_sub(1)).collect();
    comeco + "…"
}

fn cor(prova: &Leitura) -> RGBColor {
    match prova.origem {
        Origem::Consulta => graficos::CONSULTA,
        Origem::Venda | Origem::VendaSemNumero => graficos::COMPRA,
        Origem::Recusa => graficos::RECUSA,
        Origem::Aviso => graficos::AVISO,
        Origem::Silencio => graficos::CONEXAO,
    }
}

/// O diagrama em SVG; vazio, se não há provas.
pub(super) fn em_svg(violacao: &Violacao, tela: Tela) -> String {
    let plano = Plano::de(violacao, tela);
    if plano.instantes.is_empty() {
        return String::new();
    }
    graficos::desenhar(tela, plano.altura.unsigned_abs(), |quadro| pintar(&plano, quadro))
}

fn pintar(plano: &Plano, quadro: &Quadro<'_>) -> Result<(), Erro> {
    for y in &plano.instantes {
        quadro.draw(&PathElement::new([(4, *y), (plano.largura - 4, *y)], graficos::GRADE))?;
    }
    for (x, comeco) in &plano.vidas {
        let vida = [(*x, *comeco), (*x, plano.altura - 2)];
        quadro.draw(&PathElement::new(vida, graficos::CONEXAO.stroke_width(2)))?;
    }
    for Intervalo { x, de, ate, cor } in &plano.intervalos {
        quadro.draw(&Rectangle::new([(*x, *de), (x + BARRA, *ate)], cor.filled()))?;
    }
    for (x, y) in &plano.chegadas {
        quadro.draw(&Circle::new((*x, *y), RAIO, graficos::CONEXAO.filled()))?;
    }
    for seta in &plano.setas {
        quadro.draw(&PathElement::new([seta.de, seta.ate], seta.cor.stroke_width(2)))?;
        quadro.draw(&Polygon::new(seta.ponta(), seta.cor.filled()))?;
    }
    for Texto { x, topo, lado, tamanho, texto } in &plano.textos {
        let lado = match lado {
            Lado::Esquerda => HPos::Left,
            Lado::Centro => HPos::Center,
            Lado::Direita => HPos::Right,
        };
        let estilo = graficos::letra(*tamanho).pos(Pos::new(lado, VPos::Top));
        quadro.draw_text(texto, &estilo, (*x, *topo))?;
    }
    Ok(())
}

impl Seta {
    /// O triângulo da ponta, virado para onde ela vai.
    fn ponta(&self) -> [(i32, i32); 3] {
        let (x, y) = self.ate;
        let sentido = (self.ate.0 - self.de.0).signum();
        [(x, y), (x - sentido * 10, y - 6), (x - sentido * 9, y + 4)]
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::auditoria::violacao::exemplos::{leitura, qualquer_leitura, violacao};
    use proptest::prelude::*;

    /// O retângulo de um texto: esquerda, topo, direita, base.
    fn caixa(texto: &Texto) -> [i32; 4] {
        let largura = letras(&texto.texto) as i32 * largura_da_letra(texto.tamanho);
        let esquerda = match texto.lado {
            Lado::Esquerda => texto.x,
            Lado::Centro => texto.x - largura / 2,
            Lado::Direita => texto.x - largura,
        };
        [esquerda, texto.topo, esquerda + largura, texto.topo + texto.tamanho]
    }

    fn tocam(um: [i32; 4], outro: [i32; 4]) -> bool {
        um[0] < outro[2] && outro[0] < um[2] && um[1] < outro[3] && outro[1] < um[3]
    }

    fn textos(plano: &Plano) -> Vec<&str> {
        plano.textos.iter().map(|texto| texto.texto.as_str()).collect()
    }

    #[test]
    fn dois_usuarios_ficam_um_de_cada_lado_do_estoque_e_os_intervalos_se_comparam() {
        let provas = [leitura(3, 10, 40, Origem::Venda, 3), leitura(8, 20, 30, Origem::Venda, 3)];
        let plano = Plano::de(&violacao(&provas), Tela::Larga);
        assert_eq!(plano.vidas, [520, 190, 850].map(|x| (x, CABECALHO)));
        let [um, outro] = plano.intervalos[..] else { panic!("dois intervalos") };
        assert!(um.de < outro.de && outro.ate < um.ate, "um contém o outro: {plano:?}");
        assert_eq!((um.x + BARRA, outro.x), (520, 520), "lado a lado, na linha do estoque");
        for texto in ["usuário 3", "usuário 8", "estoque", "4 → 3", "restaram 3", "0,020000 s"]
        {
            assert!(textos(&plano).contains(&texto), "falta {texto}: {plano:?}");
        }
    }

    #[test]
    fn intervalos_que_nao_se_cruzam_ficam_um_abaixo_do_outro() {
        let provas = [leitura(8, 20, 30, Origem::Venda, 3), leitura(3, 1, 9, Origem::Recusa, 0)];
        let plano = Plano::de(&violacao(&provas), Tela::Estreita);
        let [antes, depois] = plano.intervalos[..] else { panic!("dois intervalos") };
        assert!(antes.ate < depois.de, "{plano:?}");
        // Os que se tocam podem ter acontecido juntos.
        let provas = [leitura(8, 9, 30, Origem::Venda, 3), leitura(3, 1, 9, Origem::Recusa, 0)];
        let plano = Plano::de(&violacao(&provas), Tela::Estreita);
        let [antes, depois] = plano.intervalos[..] else { panic!("dois intervalos") };
        assert!(depois.de < antes.ate, "{plano:?}");
    }

    #[test]
    fn as_operacoes_seguidas_de_um_usuario_ficam_na_mesma_linha_de_vida() {
        let provas = [leitura(3, 1, 9, Origem::Recusa, 0), leitura(3, 20, 30, Origem::Venda, 3)];
        let vidas = Plano::de(&violacao(&provas), Tela::Larga).vidas;
        assert_eq!(vidas, [520, 190].map(|x| (x, CABECALHO)));
    }

    #[test]
    fn o_aviso_e_uma_seta_so_e_quem_nada_ouviu_nao_tem_seta() {
        let provas = [leitura(1, 0, 9, Origem::Aviso, 0), leitura(2, 0, 8, Origem::Silencio, 0)];
        let plano = Plano::de(&violacao(&provas), Tela::Larga);
        assert_eq!((plano.setas.len(), plano.intervalos.len(), plano.instantes.len()), (1, 1, 3));
        assert!(textos(&plano).contains(&"nenhum AVISO"), "{plano:?}");
        assert_eq!(em_svg(&violacao(&[]), Tela::Larga), "");
    }

    #[test]
    fn a_linha_de_quem_chegou_depois_comeca_onde_ele_conectou() {
        let provas = [leitura(1, 50, 90, Origem::Aviso, 0), leitura(2, 5, 8, Origem::Venda, 0)];
        let plano = Plano::de(&violacao(&provas), Tela::Estreita);
        let (&[.., de], [(_, y)]) = (&plano.vidas[..], &plano.chegadas[..]) else {
            panic!("{plano:?}")
        };
        assert_eq!(de, plano.chegadas[0]);
        assert!(plano.instantes[1] < *y && *y < plano.instantes[3], "depois da venda: {plano:?}");
        assert!(textos(&plano).contains(&"conectou aqui"), "inteiro, mesmo no telefone: {plano:?}");
        // A de quem já tinha feito outra coisa vem do alto.
        let provas = [leitura(1, 50, 90, Origem::Aviso, 0), leitura(1, 5, 8, Origem::Venda, 0)];
        let plano = Plano::de(&violacao(&provas), Tela::Estreita);
        assert_eq!((plano.vidas.len(), plano.vidas[1].1, plano.chegadas.len()), (2, CABECALHO, 1));
    }

    proptest! {
        /// Diga o servidor o que disser: nenhum texto cobre outro nem sai da figura, e toda seta desce.
        #[test]
        fn os_textos_nao_se_cobrem_e_as_setas_descem(
            provas in proptest::collection::vec(qualquer_leitura(), 1..4),
        ) {
            for tela in [Tela::Larga, Tela::Estreita] {
                let plano = Plano::de(&violacao(&provas), tela);
                let caixas: Vec<[i32; 4]> = plano.textos.iter().map(caixa).collect();
                for (qual, um) in caixas.iter().enumerate() {
                    let dentro = um[0] >= 0 && um[1] >= 0 && um[2] <= plano.largura && um[3] <= plano.altura;
                    prop_assert!(dentro, "{:?} em {:?}", plano.textos[qual], plano);
                    for (outro, outra) in caixas.iter().enumerate().skip(qual + 1) {
                        let (um_texto, outro_texto) = (&plano.textos[qual], &plano.textos[outro]);
                        prop_assert!(!tocam(*um, *outra), "{:?} e {:?}", um_texto, outro_texto);
                    }
                }
                prop_assert!(plano.setas.iter().all(|seta| seta.de.1 < seta.ate.1), "{:?}", plano);
                prop_assert!(plano.intervalos.iter().all(|i| i.de < i.ate), "{:?}", plano);
                prop_assert!(plano.instantes.len() <= 2 * OPERACOES);
            }
        }
    }
}
