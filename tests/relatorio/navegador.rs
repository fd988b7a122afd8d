//! A página aberta em um navegador de verdade: cabe na tela, e as cores se leem.

use super::*;

/// O que um navegador mede de uma página, em um quadro de cada largura: nada disso se sabe só lendo o
/// HTML. O relatório não tem scripts; este está na página que o abriga.
const SONDA: &str = r#"<!doctype html><meta charset="utf-8"><body><script>
const larguras = [1000, 390];
const medidas = {};
const linear = c => { c /= 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
const cor = texto => (texto.match(/[\d.]+/g) || []).map(Number);
const brilho = c => .2126 * linear(c[0]) + .7152 * linear(c[1]) + .0722 * linear(c[2]);
function fundo(janela, e) {
  for (; e; e = e.parentElement) {
    const c = cor(janela.getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > 0) return c;
  }
  return [255, 255, 255];
}
// Os cartões da mesma fileira têm a mesma altura, e os números deles o mesmo pé.
function desalinhados(cartoes) {
  const pe = e => Math.round(e.getBoundingClientRect().bottom);
  const fileiras = new Map();
  for (const e of cartoes) {
    const topo = Math.round(e.getBoundingClientRect().top);
    const pes = fileiras.get(topo) || fileiras.set(topo, new Set()).get(topo);
    pes.add(pe(e) + '/' + pe(e.querySelector('dd')));
  }
  return [...fileiras.values()].filter(pes => pes.size > 1).length;
}
// No diagrama nenhum texto cobre outro nem sai da figura, com as letras deste navegador.
function cobertos(svg) {
  if (!svg.closest('.diagrama')) return 0;
  const caixas = [...svg.querySelectorAll('text')].map(e => e.getBBox()), ha = svg.viewBox.baseVal;
  const fora = caixas.filter(a => a.x < 0 || a.y < 0 || a.x + a.width > ha.width || a.y + a.height > ha.height);
  const tocam = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y + 3 < b.y + b.height - 3 && b.y + 3 < a.y + a.height - 3;
  return fora.length + caixas.flatMap((a, i) => caixas.slice(i + 1).filter(b => tocam(a, b))).length;
}
function medir(quadro) {
  const janela = quadro.contentWindow, doc = quadro.contentDocument, raiz = doc.documentElement;
  const todos = seletor => [...doc.querySelectorAll(seletor)];
  // O que um <details> fechado esconde tem caixa, e não se vê.
  const a_vista = seletor => todos(seletor).filter(e =>
    e.getBoundingClientRect().width > 0 && e.checkVisibility({ contentVisibilityAuto: true }));
  const do_papel = new Set();
  for (const e of todos('svg *')) for (const que of ['fill', 'stroke']) {
    const escrita = e.getAttribute(que);
    if (!escrita || escrita === 'none') continue;
    const papel = escrita.match(/[0-9a-f]{2}/gi).map(h => parseInt(h, 16));
    if (cor(janela.getComputedStyle(e)[que]).join() === papel.join()) do_papel.add(escrita);
  }
  let contraste = 21, pior = '';
  const escritos = todos('body *').filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  for (const e of escritos) {
    const estilo = janela.getComputedStyle(e);
    const claros = [cor(e.closest('svg') ? estilo.fill : estilo.color), fundo(janela, e)].map(brilho).sort((a, b) => b - a);
    const este = (claros[0] + .05) / (claros[1] + .05);
    if (este < contraste && !e.closest('.chave')) { contraste = este; pior = e.outerHTML.slice(0, 80); }
  }
  const largas = a_vista('svg').map(e => e.getBoundingClientRect().width);
  return {
    rola_de_lado: raiz.scrollWidth > raiz.clientWidth,
    largura: raiz.clientWidth,
    largas: a_vista('.larga svg').length,
    estreitas: a_vista('.estreita svg').length,
    menor_grafico: Math.min(...largas),
    letra_do_grafico: Math.min(...a_vista('svg text').map(e => e.getBoundingClientRect().height)),
    numeros: a_vista('dl.numeros dd').length,
    desalinhados: desalinhados(a_vista('dl.numeros div')),
    parte_do_titulo: todos('h2').filter(e => janela.getComputedStyle(e).breakAfter !== 'avoid').length,
    textos_que_se_cobrem: a_vista('svg').map(cobertos).reduce((a, b) => a + b, 0),
    parte_da_figura: todos('figure').filter(e => janela.getComputedStyle(e).breakInside !== 'avoid').length,
    cores_dos_cartoes: a_vista('dl.numeros dd').map(e => janela.getComputedStyle(e).color),
    letra_do_visto: Math.min(...a_vista('.viu').map(e => parseFloat(janela.getComputedStyle(e).fontSize))),
    do_papel: [...do_papel].sort(),
    contraste, pior,
  };
}
for (const largura of larguras) {
  const quadro = document.createElement('iframe');
  quadro.style = `width: ${largura}px; height: 800px; border: 0`;
  quadro.src = 'PAGINA';
  quadro.onload = () => { medidas[largura] = medir(quadro); if (Object.keys(medidas).length === larguras.length) document.body.textContent = '[[' + JSON.stringify(medidas) + ']]'; };
  document.body.append(quadro);
}
</script></body>"#;

/// O que a sonda mede desta página, com estas opções do navegador.
fn sondar(navegador: &Path, pagina: &Path, opcoes: &[&str]) -> Value {
    let sonda = pagina.with_file_name("sonda.html");
    let nome = pagina.file_name().unwrap().to_str().unwrap();
    fs::write(&sonda, SONDA.replace("PAGINA", nome)).unwrap();
    let opcoes = [&["--dump-dom", "--window-size=1200,1000"], opcoes].concat();
    let saida = abrir_pagina(navegador, &sonda, &opcoes);
    let dom = String::from_utf8(saida.stdout).unwrap();
    let medidas = dom.split_once("[[").and_then(|(_, resto)| resto.split_once("]]"));
    let (medidas, _) = medidas.unwrap_or_else(|| panic!("a sonda não mediu: {dom}"));
    // Um texto, escrito como HTML, ganha entidades.
    let medidas = medidas.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&medidas).unwrap()
}

const TEMAS: [(&str, &[&str]); 2] =
    [("claro", &[]), ("escuro", &["--blink-settings=preferredColorScheme=0"])];

/// O que se pede de qualquer página, em qualquer largura e tema.
#[track_caller]
fn bem_composta(medida: &Value, tema: &str) {
    assert_eq!(medida["rola_de_lado"], false, "{tema}: {medida}");
    // O mínimo das WCAG para texto comum.
    assert!(medida["contraste"].as_f64().unwrap() >= 4.5, "{tema}: {medida}");
    assert_eq!(medida["textos_que_se_cobrem"], 0, "{tema}: {medida}");
    assert_eq!(medida["desalinhados"], 0, "{tema}: {medida}");
    let partidos = (&medida["parte_do_titulo"], &medida["parte_da_figura"]);
    assert_eq!(partidos, (&0.into(), &0.into()), "no papel: {medida}");
}

/// Confere uma página qualquer, nos dois temas e nas duas larguras; sem navegador, nada.
#[track_caller]
pub(crate) fn cabe_na_tela(pagina: &Path) {
    let Some(navegador) = navegador() else {
        println!("sem navegador: conferência pulada; instale o chromium");
        return;
    };
    for (tema, opcoes) in TEMAS {
        let medidas = sondar(&navegador, pagina, opcoes);
        for largura in ["1000", "390"] {
            bem_composta(&medidas[largura], tema);
        }
    }
}

#[test]
fn em_um_navegador_a_pagina_da_nota_cabe_na_tela_e_diz_em_cores_o_que_se_ganhou() {
    let Some(navegador) = navegador() else {
        println!("sem navegador: teste pulado; instale o chromium");
        return;
    };
    // Vende sempre a mesma, e diz palavras que não cabem em um telefone.
    let comprida = "A".repeat(300);
    let endereco = servidor_que(move |comando| match comando {
        "CONSULTAR" => format!("{comprida}\n"),
        _ => "Compra realizada. Estoque restante: 9\n".into(),
    });
    let pasta = tempfile::tempdir().unwrap();
    let pagina = pasta.path().join("laudo.html");
    let endereco = endereco.to_string();
    let opcoes = ["avaliar", "--servidor", &endereco, "--compradores", "5", "--relatorio"];
    let mut comando = comando("cliente", opcoes);
    comando.arg(&pagina);
    let fim = Processo::iniciar(comando).termino();
    assert_eq!(fim.codigo, Some(0), "{fim:?}");
    assert!(fim.saida.contains("A primeira contradição da pior rodada"), "{fim:?}");
    etiquetas_fecham(&fs::read_to_string(&pagina).unwrap());
    for (tema, opcoes) in TEMAS {
        let medidas = sondar(&navegador, &pagina, opcoes);
        for largura in ["1000", "390"] {
            let medida = &medidas[largura];
            assert_eq!(medida["largura"].to_string(), largura, "{medida}");
            bem_composta(medida, tema);
            // As barras e o diagrama da contradição.
            let esperados = if largura == "1000" { (2, 0) } else { (0, 2) };
            let vistos = (&medida["largas"], &medida["estreitas"]);
            assert_eq!(vistos, (&esperados.0.into(), &esperados.1.into()), "{medida}");
            // Quatro itens e dois extras, e mais de uma cor entre eles; o porquê, em letra maior.
            let mut cores = lista(&medida["cores_dos_cartoes"]).to_vec();
            assert_eq!(cores.len(), 6, "{medida}");
            cores.dedup();
            assert!(cores.len() > 1, "{medida}");
            assert!(medida["letra_do_visto"].as_f64().unwrap() > 16.0, "{medida}");
        }
    }
}

#[test]
fn em_um_navegador_a_pagina_cabe_na_tela_e_as_cores_sao_as_do_tema() {
    let Some(navegador) = navegador() else {
        println!("sem navegador: teste pulado; instale o chromium");
        return;
    };
    // Um servidor que vende de menos zero: todas as cores dos gráficos, e contradições.
    let mut estoque = 2;
    let endereco = servidor_que(move |comando| match (comando, estoque) {
        ("CONSULTAR", _) => format!("Estoque atual: {estoque}\n"),
        (_, ..=-2) => "ERRO: Produto esgotado\n".into(),
        _ => {
            estoque -= 1;
            let aviso = if estoque <= 0 { "AVISO: O estoque acabou de esgotar!\n" } else { "" };
            format!("Compra realizada. Estoque restante: {estoque}\n{aviso}")
        }
    });
    let pasta = tempfile::tempdir().unwrap();
    let pagina = pasta.path().join("relatorio.html");
    let opcoes = format!(
        "--usuarios 50 --ciclos 2 --exigir falhas=0 --exigir vendas=0 --relatorio {}",
        pagina.display()
    );
    let fim = multidao(endereco, &opcoes);
    assert_eq!(fim.codigo, Some(3), "{fim:?}");
    let html = fs::read_to_string(&pagina).unwrap();
    // As primeiras contradições estão à vista; as outras, recolhidas.
    // Cada uma tem as barras e o diagrama.
    let desenhos = 5 + contradicoes(&html, "larga").count().min(6);
    assert!(desenhos > 6, "{html}");

    for (tema, opcoes) in TEMAS {
        let medidas = sondar(&navegador, &pagina, opcoes);
        for largura in ["1000", "390"] {
            let medida = &medidas[largura];
            let numero = |nome: &str| medida[nome].as_f64().unwrap();
            assert_eq!(medida["largura"].to_string(), largura, "{medida}");
            bem_composta(medida, tema);
            let esperados = if largura == "1000" { (desenhos, 0) } else { (0, desenhos) };
            let vistos = (&medida["largas"], &medida["estreitas"]);
            assert_eq!(vistos, (&esperados.0.into(), &esperados.1.into()), "{medida}");
            assert!(numero("menor_grafico") > numero("largura") * 0.8, "{medida}");
            assert!(numero("letra_do_grafico") > 9.0, "{tema} {largura}: {medida}");
            assert_eq!(numero("numeros"), 12.0, "{medida}");
            // O mínimo das WCAG para texto comum.
            assert!(numero("contraste") >= 4.5, "{tema} {largura}: {medida}");
            let do_papel = lista(&medida["do_papel"]);
            match tema {
                "claro" => assert_eq!(do_papel.len(), 10, "no claro, as do papel: {medida}"),
                _ => assert_eq!(do_papel.len(), 0, "no escuro, nenhuma do papel: {medida}"),
            }
        }
    }

    // E o que se vê não é uma página em branco.
    let vazia = pasta.path().join("vazia.html");
    fs::write(&vazia, "<!doctype html><title>nada</title>").unwrap();
    let foto = |pagina: &Path, tamanho: &str| {
        let png = pasta.path().join("foto.png");
        let fotografar = format!("--screenshot={}", png.display());
        abrir_pagina(&navegador, pagina, &[&fotografar, &format!("--window-size={tamanho}")]);
        let bytes = fs::read(&png).unwrap();
        fs::remove_file(&png).unwrap();
        assert!(bytes.starts_with(b"\x89PNG"), "{} bytes", bytes.len());
        bytes.len()
    };
    for tamanho in ["1000,3000", "390,3000"] {
        let (cheia, vazia) = (foto(&pagina, tamanho), foto(&vazia, tamanho));
        assert!(cheia > 5 * vazia, "{tamanho}: {cheia} bytes, e uma página vazia tem {vazia}");
    }
}

#[test]
fn em_um_navegador_o_diagrama_de_quem_conectou_e_nada_ouviu_cabe_na_tela() {
    let Some((_servidor, endereco)) = abrir_aluno("aviso_so_ao_comprador.py", &[]) else { return };
    let pasta = tempfile::tempdir().unwrap();
    let pagina = pasta.path().join("relatorio.html");
    let fim = multidao(endereco, &format!("--usuarios 12 --relatorio {}", pagina.display()));
    assert_eq!(fim.codigo, Some(5), "{fim:?}");
    let html = fs::read_to_string(&pagina).unwrap();
    assert!(html.contains("conectou aqui") && html.contains("nenhum AVISO"), "{html}");
    cabe_na_tela(&pagina);
}

#[test]
fn em_um_navegador_a_pagina_do_cliente_observado_cabe_na_tela() {
    let Some(python) = python() else { return };
    let pasta = tempfile::tempdir().unwrap();
    let (pagina, porta) = (pasta.path().join("laudo.html"), porta_livre());
    let clientes = Path::new(env!("CARGO_MANIFEST_DIR")).join("alunos_clientes");
    let iniciar = format!(
        "cd '{}' && ESCALA=0.01 PORTA={porta} exec '{python}' de_um_jeito.py certo",
        clientes.display()
    );
    let porta = porta.to_string();
    let opcoes = ["avaliar-cliente", "--iniciar", &iniciar, "--porta", &porta, "--escala", "0.01"];
    let mut comando = comando("cliente", opcoes);
    comando.arg("--relatorio").arg(&pagina);
    let fim = Processo::iniciar(comando).termino();
    assert_eq!(fim.codigo, Some(0), "{fim:?}");
    let html = fs::read_to_string(&pagina).unwrap();
    etiquetas_fecham(&html);
    assert!(html.contains("da simulação. A linha vertical é o esgotamento."), "{html}");
    cabe_na_tela(&pagina);
}
